import { PATH_METADATA } from '@nestjs/common/constants.js';
import type { HeadersObject, MediaTypeObject, ResponsesObject } from '@nestjs/swagger';
import type { Config } from '../../config/load.config.js';
import { FORWARD_AUTH_PATH } from '../http/forward-auth-path.js';
import { isOAuthPath } from '../http/oauth-endpoints.js';
import { ROLE, STEP_UP } from '../http/access.decorators.js';
import { ACCESS, type Access } from '../http/public.decorator.js';
import { PROBLEMS, type ProblemCode, problemEntry } from '../problems/problem.catalogue.js';
import { Problem, type ProblemOptions } from '../problems/problem.js';
import { countedRequests } from '../throttle/rate-limiter.js';
import type { RouteDocs } from './api-reply.decorator.js';
import { oauthErrorContent, oauthErrorName, oauthOccurrence } from './oauth-docs.js';

/** A documented route, with what its handler and class are marked with. */
export interface DocumentedRoute {
  readonly docs: RouteDocs;
  readonly access: Access;
  readonly needsRole: boolean;
  readonly needsStepUp: boolean;
  readonly isThrottled: boolean;
  /** Whether the Accept header of a request is looked at. */
  readonly isNegotiated: boolean;
  /** Whether it takes a form from a service client, and answers errors as OAuth 2.0 does. */
  readonly isOAuth: boolean;
}

/** One entry of `errors` in a `validation_failed`. */
export interface FieldMistake {
  readonly path: string;
  readonly message: string;
}

/** The id that the examples bear. */
const EXAMPLE_REQUEST_ID = '019a0000-0000-7000-8000-000000000001';

/** What reading a body, and the cross-site rule, can answer on every unsafe method. */
const OF_UNSAFE_METHODS: readonly ProblemCode[] = [
  'malformed_body',
  'cross_site_request',
  'body_too_large',
  'unsupported_media_type',
];

/** What the guard answers where a live credential is required. */
const OF_CLOSED_ROUTES: readonly ProblemCode[] = [
  'conflicting_credentials',
  'authentication_required',
  'credential_invalid',
  'credential_expired',
  'credential_revoked',
];

/** Reads what the guards of a route, and the rate limit for all requests, go by. */
export function describeRoute(docs: RouteDocs, handler: object, controller: object): DocumentedRoute {
  const marked = <T>(key: string) =>
    (Reflect.getMetadata(key, handler) ?? Reflect.getMetadata(key, controller)) as T | undefined;
  const [prefix, rest] = [controller, handler].map((part) =>
    String(Reflect.getMetadata(PATH_METADATA, part)),
  );
  const path = `/${prefix}/${rest}`.replaceAll(/\/+/g, '/');
  return {
    docs,
    access: marked<Access>(ACCESS) ?? 'required',
    needsRole: marked(ROLE) !== undefined,
    needsStepUp: marked(STEP_UP) !== undefined,
    isThrottled: countedRequests(path) !== 'none',
    isNegotiated: path !== FORWARD_AUTH_PATH,
    isOAuth: isOAuthPath(path),
  };
}

/** Every code that a route can answer, in the order of the catalogue. */
function problemsOf(
  { docs, access, needsRole, needsStepUp, isThrottled, isNegotiated }: DocumentedRoute,
  method: string,
): ProblemCode[] {
  const codes = new Set<ProblemCode>([
    ...docs.problems,
    ...(method === 'get' ? [] : OF_UNSAFE_METHODS),
    ...(access === 'required' ? OF_CLOSED_ROUTES : []),
    ...(needsRole ? (['forbidden'] as const) : []),
    ...(needsStepUp ? (['step_up_required'] as const) : []),
    // Credentials are read from the database.
    ...(access === 'none' ? [] : (['service_unavailable'] as const)),
    ...(isThrottled ? (['rate_limited'] as const) : []),
    ...(isNegotiated ? (['not_acceptable'] as const) : []),
    'internal_error',
  ]);
  return (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => codes.has(code));
}

/**
 * One response a status, with an example for each code.
 *
 * @param mistake what the example of `validation_failed` shows.
 */
export function problemResponses(
  route: DocumentedRoute,
  method: string,
  config: Config,
  mistake: FieldMistake,
): ResponsesObject {
  const byStatus = Map.groupBy(problemsOf(route, method), (code) => problemEntry(code).status);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => {
      const problems = codes.map(
        (code) =>
          new Problem(code, (route.isOAuth && oauthOccurrence(code)) || occurrence(code, config, mistake)),
      );
      return [
        status,
        {
          description: codes
            .map(
              (code) => `\`${route.isOAuth ? oauthErrorName(code) : code}\`: ${problemEntry(code).meaning}`,
            )
            .join('\n\n'),
          ...headersOf(status),
          content: route.isOAuth ? oauthErrorContent(problems) : problemContent(problems),
        },
      ];
    }),
  );
}

function problemContent(problems: readonly Problem[]): Record<string, MediaTypeObject> {
  const examples = problems.map((problem) => [
    problem.code,
    { summary: problemEntry(problem.code).title, value: problem.body(EXAMPLE_REQUEST_ID) },
  ]);
  return {
    'application/problem+json': {
      schema: { $ref: '#/components/schemas/Problem' },
      examples: Object.fromEntries(examples),
    },
  };
}

/** The body of every error (RFC 9457). */
export const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'What went wrong (RFC 9457). Branch on `code`, which is stable.',
  required: ['type', 'title', 'status', 'detail', 'code', 'request_id'],
  properties: {
    type: { type: 'string', format: 'uri', description: 'Names the kind of problem.' },
    title: { type: 'string', description: 'The same for every occurrence.' },
    status: { type: 'integer', minimum: 400, maximum: 599, description: 'The HTTP status.' },
    detail: { type: 'string', description: 'What happened this time, for a person.' },
    code: { type: 'string', enum: Object.keys(PROBLEMS) },
    request_id: { type: 'string', description: 'By which the log knows the request.' },
    action: {
      type: 'string',
      enum: ['login', 'refresh', 'step_up'],
      description: 'What a client can do about a 401.',
    },
    errors: {
      type: 'array',
      description: 'Each field that is wrong.',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: {
          path: { type: 'string', description: 'Empty for the body as a whole.' },
          message: { type: 'string' },
        },
      },
    },
    reason: {
      type: 'string',
      enum: ['too_short', 'common', 'context_specific', 'breached', 'unchanged'],
      description: 'Why a password is weak.',
    },
    feedback: {
      type: 'object',
      required: ['suggestions'],
      properties: {
        warning: { type: 'string' },
        suggestions: { type: 'array', items: { type: 'string' } },
      },
      description: 'What makes a password easy to guess, and what would be better, in English.',
    },
    mfa_token: {
      type: 'string',
      description: 'Stands for a sign-in that lacks a second factor, for `POST /mfa`.',
    },
    factors: {
      type: 'array',
      items: { type: 'string', enum: ['totp', 'passkey', 'recovery_code'] },
      description: 'What can complete it.',
    },
    'violated-policies': { type: 'array', items: { type: 'string' }, description: 'The quotas used up.' },
    checks: { type: 'object', description: 'The health checks, each with its status.' },
  },
};

function headersOf(status: number): { headers?: HeadersObject } {
  if (status === 401) {
    const description = 'A Bearer challenge (RFC 6750), whichever strategy runs.';
    return { headers: { 'WWW-Authenticate': { description, schema: { type: 'string' } } } };
  }
  if (status === 429 || status === 503) {
    const description = 'Seconds after which to try again.';
    return { headers: { 'Retry-After': { description, schema: { type: 'integer', minimum: 0 } } } };
  }
  return {};
}

/** What an example of a code says beyond the catalogue. */
function occurrence(code: ProblemCode, { auth, password }: Config, mistake: FieldMistake): ProblemOptions {
  switch (code) {
    case 'validation_failed':
      return { detail: `${mistake.path}: ${mistake.message}`, members: { errors: [mistake] } };
    case 'malformed_body':
      return { detail: 'The body is not JSON (at position 12).' };
    case 'weak_password': {
      const detail = `The password must have at least ${password.PASSWORD_MIN_LENGTH} characters. A few unrelated words are easy to remember.`;
      return { detail, members: { reason: 'too_short', errors: [{ path: 'password', message: detail }] } };
    }
    case 'credential_expired':
      return { action: auth.AUTH_STRATEGY.includes('jwt') ? 'refresh' : 'login' };
    case 'mfa_required':
      return { members: { mfa_token: 'trf_mt_example', factors: ['totp', 'recovery_code'] } };
    case 'cross_site_request':
      return { detail: 'The Origin "https://evil.example" is not in TRUSTED_ORIGINS.' };
    case 'unsupported_media_type':
      return { detail: 'Send the body as Content-Type: application/json.' };
    case 'rate_limited':
      return {
        detail: 'The quota "default" of 600 requests in 60 s is used up. Retry in 17 s.',
        members: { 'violated-policies': ['default'] },
      };
    case 'not_ready':
      return {
        members: {
          checks: {
            database: { status: 'down' },
            keys: { status: 'up' },
            redis: { status: 'up', connection: 'off' },
          },
        },
      };
    default:
      return {};
  }
}
