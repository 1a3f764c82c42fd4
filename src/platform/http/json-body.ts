import type { FastifyInstance } from 'fastify';
import { Problem } from '../problems/problem.js';
import { BODY_LIMIT, unexpectedBody } from './body-type.js';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses `application/json` in UTF-8, and nothing else unless another parser is added. An empty body counts as none.
 *
 * bodyTypeProblem() checks the declared type before the body is read. Whether a chunked body is empty is known only
 * then, so an unexpected type gets a parser that accepts empty bodies only.
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
    done(body.length === 0 ? null : unexpectedBody(request), undefined),
  );
}

function jsonError(error: Error): string {
  // The parser quotes the input, which can contain a password: repeat only the position.
  const position = /position \d+/.exec(error.message)?.[0];
  if (/forbidden prototype property/.test(error.message)) return 'The body holds a forbidden key.';
  return position ? `The body is not JSON (at ${position}).` : 'The body is not JSON.';
}
