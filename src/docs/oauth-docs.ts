import type { MediaTypeObject, SecuritySchemeObject } from '@nestjs/swagger';
import { OAUTH_ERROR_CODES, oauthError } from '../problems/oauth-error.js';
import { type ProblemCode, problemEntry } from '../problems/problem.catalogue.js';
import { Problem, type ProblemOptions } from '../problems/problem.js';

/** The key of the scheme by which service clients authenticate themselves. */
export const CLIENT_SCHEME = 'client';

/** How service clients authenticate themselves at the OAuth endpoints. */
export const CLIENT_SECURITY: SecuritySchemeObject = {
  type: 'http',
  scheme: 'basic',
  description:
    'The `client_id` and `client_secret` of a service client, which `traffy clients add` makes (RFC 6749 §2.3.1). They ' +
    'may stand in the form instead.',
};

/** The body of every error at the OAuth endpoints. */
export const OAUTH_ERROR_SCHEMA = {
  type: 'object',
  description: 'What went wrong (RFC 6749 §5.2).',
  required: ['error', 'error_description'],
  properties: {
    error: {
      type: 'string',
      enum: [...OAUTH_ERROR_CODES],
    },
    error_description: { type: 'string', description: 'What happened this time, for a person.' },
  },
};

/** What the errors of one status look like there. Several problems can be one error: the first is the example. */
export function oauthErrorContent(problems: readonly Problem[]): Record<string, MediaTypeObject> {
  const examples: MediaTypeObject['examples'] = {};
  for (const problem of problems) {
    const value = oauthError(problem);
    examples[value.error] ??= { summary: problemEntry(problem.code).title, value };
  }
  return {
    'application/json': { schema: { $ref: '#/components/schemas/OAuthError' }, examples },
  };
}

/** What an error is called there. */
export function oauthErrorName(code: ProblemCode): string {
  return oauthError(new Problem(code)).error;
}

/** What an example says there that differs from other routes, which take JSON. */
export function oauthOccurrence(code: ProblemCode): ProblemOptions | null {
  switch (code) {
    case 'malformed_body':
      return { detail: 'A parameter stands there more than once.' };
    case 'unsupported_media_type':
      return { detail: 'Send the body as Content-Type: application/x-www-form-urlencoded.' };
    default:
      return null;
  }
}
