import { PROBLEMS, type ProblemCode, problemEntry } from '../problems/problem.catalogue.js';

const WEAKNESS = {
  type: 'string',
  enum: ['too_short', 'common', 'context_specific', 'guessable', 'breached', 'unchanged'],
};

/** The body of every error (RFC 9457). */
const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'A problem (RFC 9457). Branch on `code`, which is stable.',
  required: ['type', 'title', 'status', 'detail', 'code', 'request_id'],
  properties: {
    type: { type: 'string', format: 'uri', description: 'The kind of problem.' },
    title: { type: 'string', description: 'The same for every occurrence.' },
    status: { type: 'integer', minimum: 400, maximum: 599, description: 'The HTTP status.' },
    detail: { type: 'string', description: 'Details of this occurrence, for humans.' },
    code: { type: 'string', enum: Object.keys(PROBLEMS) },
    request_id: { type: 'string', description: 'The id of the request in the log.' },
    action: {
      type: 'string',
      enum: ['login', 'refresh', 'step_up'],
      description: 'What a client can do about a 401.',
    },
    errors: {
      type: 'array',
      description: 'All invalid fields.',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: {
          path: { type: 'string', description: 'Empty for the body as a whole.' },
          message: { type: 'string' },
          reason: { ...WEAKNESS, description: 'Of a weak password: the reason, as a stable word.' },
        },
      },
    },
    reason: { ...WEAKNESS, description: 'Why a password is weak: the first of the reasons in `errors`.' },
    feedback: {
      type: 'object',
      required: ['suggestions'],
      properties: {
        warning: { type: 'string' },
        suggestions: { type: 'array', items: { type: 'string' } },
      },
      description: 'Why the password is easy to guess, and how to improve it.',
    },
    mfa_token: {
      type: 'string',
      description: 'Represents a sign-in that lacks a second factor, for `POST /mfa`.',
    },
    factors: {
      type: 'array',
      items: { type: 'string', enum: ['totp', 'passkey', 'recovery_code'] },
      description: 'The factors that can complete it.',
    },
    'violated-policies': {
      type: 'array',
      items: { type: 'string', enum: ['default', 'login', 'signup'] },
      description: 'The exhausted quotas.',
    },
    checks: {
      type: 'object',
      description: 'The health checks, each with its status.',
      additionalProperties: {
        type: 'object',
        required: ['status'],
        properties: {
          status: { type: 'string', enum: ['up', 'down'] },
          connection: { type: 'string', enum: ['off', 'up', 'down'] },
          delivery: { type: 'string', enum: ['smtp', 'mailbox', 'off'] },
        },
      },
    },
  },
};

/** The members that an error with this code always has, besides those of all. */
const MEMBERS: Readonly<Partial<Record<ProblemCode, readonly (keyof typeof PROBLEM_SCHEMA.properties)[]>>> = {
  validation_failed: ['errors'],
  weak_password: ['errors', 'reason'],
  passkey_not_accepted: ['errors'],
  credential_expired: ['action'],
  mfa_required: ['mfa_token', 'factors'],
  factor_required: ['factors'],
  rate_limited: ['violated-policies'],
  not_ready: ['checks'],
};

/** The schemas of all errors: one for each code, so that a client that tests the code knows the members. */
export function problemSchemas(): Record<string, object> {
  const codes = Object.keys(PROBLEMS) as ProblemCode[];
  return Object.fromEntries([
    ['Problem', PROBLEM_SCHEMA],
    ...codes.map((code) => [schemaName(code), schemaOf(code)] as const),
  ]);
}

/** The schema of a response that can have any of these codes. */
export function problemSchema(
  codes: readonly ProblemCode[],
): { $ref: string } | { oneOf: { $ref: string }[] } {
  const references = codes.map((code) => ({ $ref: `#/components/schemas/${schemaName(code)}` }));
  const [only] = references;
  return only && references.length === 1 ? only : { oneOf: references };
}

function schemaOf(code: ProblemCode): object {
  const { action } = problemEntry(code);
  const members = MEMBERS[code] ?? [];
  const properties = {
    code: { type: 'string', enum: [code] },
    ...(action && { action: { type: 'string', enum: [action] } }),
    // Repeated, because some generators ignore `required` without the property beside it.
    ...Object.fromEntries(members.map((name) => [name, PROBLEM_SCHEMA.properties[name]])),
  };
  return {
    allOf: [
      { $ref: '#/components/schemas/Problem' },
      { type: 'object', required: Object.keys(properties), properties },
    ],
  };
}

/** `mfa_required` → `MfaRequiredProblem`. */
function schemaName(code: ProblemCode): string {
  return `${code.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())}Problem`;
}
