import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { equalsIgnoringCase } from './ascii.js';
import { Problem } from '../problems/problem.js';
import { isOAuthRequest } from './oauth-endpoints.js';

/** Maximum size of a request body, in bytes. */
export const BODY_LIMIT = 16 * 1024;

interface BodyType {
  readonly name: string;
  readonly pattern: RegExp;
}

const JSON_TYPE: BodyType = {
  name: 'application/json',
  pattern: /^application\/json(?:[ \t]*;[ \t]*charset="?utf-8"?)?$/i,
};
const FORM_TYPE: BodyType = {
  name: 'application/x-www-form-urlencoded',
  pattern: /^application\/x-www-form-urlencoded(?:[ \t]*;[ \t]*charset="?utf-8"?)?$/i,
};
/** Methods whose bodies Fastify does not read. */
const BODYLESS = new Set(['GET', 'HEAD']);

/**
 * Checks the declared type of a body before it is read: JSON, or a form at the OAuth endpoints only. The content type
 * is compared as a whole: lax parsing once let forms pass as JSON, and cross-site requests with them
 * (CVE-2022-41919). An empty body counts as none; whether a chunked body is empty is known only when it is read.
 *
 * @returns the problem, or null.
 */
export function bodyTypeProblem(request: FastifyRequest): Problem | null {
  const { headers } = request.raw;
  const length = headers['content-length'];
  const isChunked = headers['transfer-encoding'] !== undefined;
  if (!isChunked && (length === undefined || /^0+$/.test(length))) {
    // Without this, Fastify would look for a parser of a body that does not exist.
    delete headers['content-type'];
    return null;
  }
  const expected = isOAuthRequest(request) ? FORM_TYPE : JSON_TYPE;
  if (isAsExpected(headers, expected)) {
    // Fastify finds its parser by this text, and knows fewer spellings.
    headers['content-type'] = expected.name;
    return null;
  }
  // Methods without a body: Fastify would not read it, so it must be refused here.
  if (!isChunked || BODYLESS.has(request.method)) return unsupportedType(headers, expected);
  // Only the parser for empty bodies can accept it.
  delete headers['content-type'];
  return null;
}

/** The refusal of a body that is not empty although its type is not the expected one. */
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
  const encoding = headers['content-encoding'];
  return encoding !== undefined && !equalsIgnoringCase(encoding, 'identity');
}
