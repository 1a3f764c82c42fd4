import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { Problem } from '../problems/problem.js';

/** The most that a request body may have, in bytes. */
export const BODY_LIMIT = 16 * 1024;

const JSON_TYPE = /^application\/json(?: *; *charset="?utf-8"?)?$/i;
/** Methods whose bodies Fastify does not read. */
const BODYLESS = new Set(['GET', 'HEAD']);
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Makes `application/json` in UTF-8 the only body there is. The content type is compared as a whole: a lax reading
 * of it once let forms pass as JSON, and with them cross-site requests (CVE-2022-41919). An empty body is none.
 *
 * What is announced is judged by bodyTypeProblem(), before it is read. Whether a chunked body is empty shows only
 * then, so another type than JSON gets a parser that accepts nothing else.
 */
export function acceptOnlyJson(fastify: FastifyInstance): void {
  fastify.removeAllContentTypeParsers();
  const parse = fastify.getDefaultJsonParser('error', 'error');
  fastify.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: BODY_LIMIT },
    (request, body, done) => {
      if (body.length === 0) return done(null, undefined);
      let text: string;
      try {
        text = UTF8.decode(body as Buffer);
      } catch {
        return done(new Problem('malformed_body', { detail: 'The body is not UTF-8.' }));
      }
      return parse(request, text, (error, value) =>
        done(error ? new Problem('malformed_body', { detail: jsonError(error) }) : null, value),
      );
    },
  );
  fastify.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_LIMIT }, (request, body, done) =>
    done(body.length === 0 ? null : unsupportedType(request.raw.headers), undefined),
  );
}

/** @returns the problem with how the body is announced, or null. */
export function bodyTypeProblem(request: FastifyRequest): Problem | null {
  const { headers } = request.raw;
  const length = headers['content-length'];
  const isChunked = headers['transfer-encoding'] !== undefined;
  if (!isChunked && (length === undefined || /^0+$/.test(length))) {
    // Fastify would look for a parser of a body that is not there.
    delete headers['content-type'];
    return null;
  }
  const problem = unsupportedType(headers);
  // Without a body by their definition: nothing would be read, and so nothing be judged, later.
  if (!problem || !isChunked || BODYLESS.has(request.method)) return problem;
  // No parser but the one for empty bodies may have it.
  delete headers['content-type'];
  return null;
}

function unsupportedType(headers: IncomingHttpHeaders): Problem | null {
  if (headers['content-encoding'] !== undefined && headers['content-encoding'] !== 'identity') {
    return new Problem('unsupported_media_type', { detail: 'Send the body without a Content-Encoding.' });
  }
  const type = headers['content-type'];
  if (type !== undefined && JSON_TYPE.test(type)) return null;
  return new Problem('unsupported_media_type', {
    detail: 'Send the body as Content-Type: application/json.',
  });
}

function jsonError(error: Error): string {
  // The parser quotes the input, which may hold a password; only where it went wrong is safe to repeat.
  const position = /position \d+/.exec(error.message)?.[0];
  if (/forbidden prototype property/.test(error.message)) return 'The body holds a forbidden key.';
  return position ? `The body is not JSON (at ${position}).` : 'The body is not JSON.';
}
