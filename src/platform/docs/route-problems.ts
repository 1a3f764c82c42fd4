import { PATH_METADATA } from '@nestjs/common/constants.js';
import type { HeadersObject, MediaTypeObject, ResponsesObject } from '@nestjs/swagger';
import { isNegotiated } from '../http/request-problem.js';
import { isOAuthPath } from '../http/oauth-endpoints.js';
import { ROLE, STEP_UP } from '../http/access.decorators.js';
import { ACCESS, type Access } from '../http/public.decorator.js';
import { PROBLEMS, type ProblemCode, problemEntry, problemTitle } from '../problems/problem.catalogue.js';
import { Problem, type ProblemOptions } from '../problems/problem.js';
import { countedRequests } from '../throttle/rate-limiter.js';
import type { RouteDocs } from './api-reply.decorator.js';
import type { Described } from './documented-strategies.js';
import { problemSchema } from './problem-schemas.js';
import { oauthErrorContent, oauthErrorName, oauthOccurrence } from './oauth-docs.js';

/** A documented route, with the marks of its handler and class. */
export interface DocumentedRoute {
  readonly docs: RouteDocs;
  readonly access: Access;
  readonly needsRole: boolean;
  readonly needsStepUp: boolean;
  /** Which of its requests count under the policy for all requests. */
  readonly counted: ReturnType<typeof countedRequests>;
  /** Whether the Accept header of a request is checked. */
  readonly isNegotiated: boolean;
  /** Whether it accepts a form from a service client, and answers errors as OAuth 2.0 does. */
  readonly isOAuth: boolean;
}

/** One entry of `errors` in a `validation_failed`. */
export interface FieldMistake {
  readonly path: string;
  readonly message: string;
}

/** The request id of the examples. */
const EXAMPLE_REQUEST_ID = '019a0000-0000-7000-8000-000000000001';

/** The errors of reading a body and of the cross-site rule, on all unsafe methods. */
const OF_UNSAFE_METHODS: readonly ProblemCode[] = [
  'malformed_body',
  'cross_site_request',
  'body_too_large',
  'unsupported_media_type',
];

/** The errors of the guard if a live credential is required. */
const OF_CLOSED_ROUTES: readonly ProblemCode[] = [
  'conflicting_credentials',
  'authentication_required',
  'credential_invalid',
  'credential_expired',
  'credential_revoked',
];

/** Reads the marks that the guards of a route and the global rate limit use. */
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
    counted: countedRequests(path),
    isNegotiated: isNegotiated(path),
    isOAuth: isOAuthPath(path),
  };
}

/** All codes that a route can answer, in the order of the catalogue. */
function problemsOf(
  { docs, access, needsRole, needsStepUp, counted, isNegotiated }: DocumentedRoute,
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
    ...(counted !== 'none' ? (['rate_limited'] as const) : []),
    ...(isNegotiated ? (['not_acceptable'] as const) : []),
    'internal_error',
  ]);
  return (Object.keys(PROBLEMS) as ProblemCode[]).filter((code) => codes.has(code));
}

/**
 * One response for each status, with an example for each code.
 *
 * @param mistake the example for `validation_failed`.
 */
export function problemResponses(
  route: DocumentedRoute,
  method: string,
  described: Described,
  mistake: FieldMistake,
): ResponsesObject {
  const byStatus = Map.groupBy(problemsOf(route, method), (code) => problemEntry(code).status);
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => {
      const problems = codes.map(
        (code) =>
          new Problem(code, (route.isOAuth && oauthOccurrence(code)) || occurrence(code, described, mistake)),
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
    { summary: problemTitle(problem.code), value: problem.body(EXAMPLE_REQUEST_ID) },
  ]);
  return {
    'application/problem+json': {
      schema: problemSchema(problems.map(({ code }) => code)),
      examples: Object.fromEntries(examples),
    },
  };
}

function headersOf(status: number): { headers?: HeadersObject } {
  if (status === 401) {
    const description = 'A Bearer challenge (RFC 6750), for all strategies.';
    return { headers: { 'WWW-Authenticate': { description, schema: { type: 'string' } } } };
  }
  if (status === 429 || status === 503) {
    const description = 'Seconds until a retry.';
    return { headers: { 'Retry-After': { description, schema: { type: 'integer', minimum: 0 } } } };
  }
  return {};
}

/** The details of an example beyond the catalogue. */
function occurrence(
  code: ProblemCode,
  { config, accepted }: Described,
  mistake: FieldMistake,
): ProblemOptions {
  switch (code) {
    case 'validation_failed':
      return { detail: `${mistake.path}: ${mistake.message}`, members: { errors: [mistake] } };
    case 'malformed_body':
      return { detail: 'The body is not JSON (at position 12).' };
    case 'weak_password': {
      const detail = `Use at least ${config.password.PASSWORD_MIN_LENGTH} characters. A few unrelated words are easy to remember.`;
      return {
        detail,
        members: {
          reason: 'too_short',
          errors: [{ path: 'password', message: detail, reason: 'too_short' }],
        },
      };
    }
    case 'credential_expired':
      return { action: accepted.includes('jwt') ? 'refresh' : 'login' };
    case 'mfa_required':
      return { members: { mfa_token: 'trf_mt_example', factors: ['totp', 'recovery_code'] } };
    case 'factor_required':
      return { members: { factors: ['totp', 'recovery_code'] } };
    case 'passkey_not_accepted': {
      const message = 'is not the answer of a browser';
      return {
        detail: `credential: ${message}`,
        members: { errors: [{ path: 'credential', message }] },
      };
    }
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
