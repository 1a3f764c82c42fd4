import type { MediaTypeObject, SchemaObject, SecuritySchemeObject } from '@nestjs/swagger';
import { OAUTH_ERROR_CODES, oauthError } from '../problems/oauth-error.js';
import { type ProblemCode, problemTitle } from '../problems/problem.catalogue.js';
import { Problem, type ProblemOptions } from '../problems/problem.js';

/** The key of the security scheme of service clients. */
export const CLIENT_SCHEME = 'client';

/** How service clients authenticate at the OAuth endpoints. */
export const CLIENT_SECURITY: SecuritySchemeObject = {
  type: 'http',
  scheme: 'basic',
  description:
    'The `client_id` and `client_secret` of a service client, which `traffy clients add` creates (RFC 6749 §2.3.1). They ' +
    'can be in the form instead.',
};

/** The body of every error at the OAuth endpoints. */
export const OAUTH_ERROR_SCHEMA = {
  type: 'object',
  description: 'The error code (RFC 6749 §5.2).',
  required: ['error', 'error_description'],
  properties: {
    error: {
      type: 'string',
      enum: [...OAUTH_ERROR_CODES],
    },
    error_description: { type: 'string', description: 'Details of this occurrence, for humans.' },
  },
};

/** The errors of one status. Several problems can be one OAuth error: the first is the example. */
export function oauthErrorContent(problems: readonly Problem[]): Record<string, MediaTypeObject> {
  const examples: MediaTypeObject['examples'] = {};
  for (const problem of problems) {
    const value = oauthError(problem);
    examples[value.error] ??= { summary: problemTitle(problem.code), value };
  }
  const schema: SchemaObject = {
    allOf: [
      { $ref: '#/components/schemas/OAuthError' },
      {
        type: 'object',
        required: ['error'],
        properties: { error: { type: 'string', enum: Object.keys(examples) } },
      },
    ],
  };
  return { 'application/json': { schema, examples } };
}

/** The OAuth name of an error. */
export function oauthErrorName(code: ProblemCode): string {
  return oauthError(new Problem(code)).error;
}

/** The differences of an example from other routes, which accept JSON. */
export function oauthOccurrence(code: ProblemCode): ProblemOptions | null {
  switch (code) {
    case 'malformed_body':
      return { detail: 'A parameter occurs more than once.' };
    case 'unsupported_media_type':
      return { detail: 'Send the body as Content-Type: application/x-www-form-urlencoded.' };
    default:
      return null;
  }
}
