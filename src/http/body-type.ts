import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../problems/problem.js';
import { isOAuthRequest } from './oauth-endpoints.js';

/** The most that a request body may have, in bytes. */
export const BODY_LIMIT = 16 * 1024;

interface BodyType {
  readonly name: string;
  readonly pattern: RegExp;
}

const JSON_TYPE: BodyType = {
  name: 'application/json',
  pattern: /^application\/json(?: *; *charset="?utf-8"?)?$/i,
};
const FORM_TYPE: BodyType = {
  name: 'application/x-www-form-urlencoded',
  pattern: /^application\/x-www-form-urlencoded(?: *; *charset="?utf-8"?)?$/i,
};
/** Methods whose bodies Fastify does not read. */
const BODYLESS = new Set(['GET', 'HEAD']);

/**
 * Judges how a body is announced, before it is read: JSON, or a form at the OAuth endpoints alone. The content type is
 * compared as a whole: a lax reading of it once let forms pass as JSON, and with them cross-site requests
 * (CVE-2022-41919). An empty body is none; whether a chunked one is empty shows only when it is read.
 *
 * @returns what is wrong with it, or null.
 */
export function bodyTypeProblem(request: FastifyRequest): Problem | null {
  const { headers } = request.raw;
  const length = headers['content-length'];
  const isChunked = headers['transfer-encoding'] !== undefined;
  if (!isChunked && (length === undefined || /^0+$/.test(length))) {
    // Fastify would look for a parser of a body that is not there.
    delete headers['content-type'];
    return null;
  }
  const expected = isOAuthRequest(request) ? FORM_TYPE : JSON_TYPE;
  if (isAsExpected(headers, expected)) return null;
  // Without a body by their definition: nothing would be read, and so nothing be judged, later.
  if (!isChunked || BODYLESS.has(request.method)) return unsupportedType(headers, expected);
  // No parser but the one for empty bodies may have it.
  delete headers['content-type'];
  return null;
}

/** The refusal of a body that turned out not to be empty, though its type was not the expected one. */
export function unexpectedBody(request: FastifyRequest): Problem {
  return unsupportedType(request.raw.headers, isOAuthRequest(request) ? FORM_TYPE : JSON_TYPE);
}

function isAsExpected(headers: IncomingHttpHeaders, { pattern }: BodyType): boolean {
  return !isEncoded(headers) && pattern.test(headers['content-type'] ?? '');
}

function unsupportedType(headers: IncomingHttpHeaders, { name }: BodyType): Problem {
  const detail = isEncoded(headers)
    ? 'Send the body without a Content-Encoding.'
    : `Send the body as Content-Type: ${name}.`;
  return new Problem('unsupported_media_type', { detail });
}

function isEncoded(headers: IncomingHttpHeaders): boolean {
  return headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity';
}
