import type { FastifyInstance } from 'fastify';
import { Problem } from '../problems/problem.js';
import { BODY_LIMIT } from './body-type.js';

/** The parameters of a form. Parameters without a value count as not sent (RFC 6749 §3.2). */
export type Form = Readonly<Record<string, string>>;

/** A percent sign that encodes nothing. URLSearchParams would keep it. */
const STRAY_PERCENT = /%(?![0-9A-Fa-f]{2})/;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Parses `application/x-www-form-urlencoded` in UTF-8. bodyTypeProblem() decides which routes accept a form: a page
 * of any site can make a browser send one (CVE-2022-41919).
 */
export function acceptForms(fastify: FastifyInstance): void {
  fastify.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit: BODY_LIMIT },
    (_request, body, done) => {
      const form = parseForm(body as Buffer);
      if (form instanceof Problem) done(form);
      else done(null, form);
    },
  );
}

/** A parameter can occur once only (RFC 6749 §3.2), so that intermediaries cannot read another value than we do. */
function parseForm(body: Buffer): Form | Problem {
  let text: string;
  try {
    text = UTF8.decode(body);
  } catch {
    return malformed('The body is not UTF-8.');
  }
  if (STRAY_PERCENT.test(text)) return malformed('The body is not a form: a % encodes nothing.');
  const parameters = [...new URLSearchParams(text)];
  if (new Set(parameters.map(([name]) => name)).size < parameters.length)
    return malformed('A parameter occurs more than once.');
  return Object.fromEntries(parameters.filter(([, value]) => value !== ''));
}

function malformed(detail: string): Problem {
  return new Problem('malformed_body', { detail });
}
