import type { AccessTokenClaims } from './access-token.gate.js';
import { TokenRefused, Undecided } from './verify.errors.js';
import { type ProblemReply, problemReply } from './problem.reply.js';

/** A request with headers: a `Request` of fetch, or a request of Node.js. */
export interface RequestLike {
  readonly headers:
    { get(name: 'authorization'): string | null } | { readonly authorization?: string | undefined };
}

export type ProtectedHandler<Rest extends unknown[]> = (
  request: Request,
  claims: AccessTokenClaims,
  ...rest: Rest
) => Response | Promise<Response>;

export type RequestHandler<Rest extends unknown[]> = (request: Request, ...rest: Rest) => Promise<Response>;

/** Middleware of Express, Connect and compatible servers: `(request, response, next)`. */
export type ConnectMiddleware = (
  request: RequestLike,
  response: ConnectResponse,
  next: (error?: unknown) => void,
) => void;

interface ConnectResponse {
  statusCode: number;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

/** A hook of Fastify, for `onRequest` or a later one before the handler. */
export type FastifyHook = (request: RequestLike, reply: FastifyReply, done: (error?: Error) => void) => void;

interface FastifyReply {
  code(status: number): unknown;
  header(name: string, value: string): unknown;
  send(body: string): unknown;
}

type VerifyRequest = (request: RequestLike) => Promise<AccessTokenClaims>;

/** The scheme name is case-insensitive (RFC 9110 §11.1). */
const BEARER = /^bearer(?=[ \t]|$) */i;

const claimsByRequest = new WeakMap<object, AccessTokenClaims>();

/**
 * The claims of a request that passed `express()` or `fastify()`: the typed value of `request.auth`.
 *
 * @throws Error for a request that did not: the route is not protected.
 */
export function claimsOf(request: object): AccessTokenClaims {
  const claims = claimsByRequest.get(request);
  if (!claims) throw new Error('this request did not pass the verifier: is its route protected?');
  return claims;
}

/** The bearer token in the Authorization of a request; null without one. */
export function tokenOf({ headers }: RequestLike): string | null {
  const authorization = isFetchHeaders(headers) ? headers.get('authorization') : headers.authorization;
  const scheme = BEARER.exec(authorization ?? '');
  return scheme && authorization ? authorization.slice(scheme[0].length) : null;
}

export function protectHandler<Rest extends unknown[]>(
  verifyRequest: VerifyRequest,
  handler: ProtectedHandler<Rest>,
): RequestHandler<Rest> {
  return async (request, ...rest) => {
    const outcome = await judge(verifyRequest, request);
    if ('claims' in outcome) return handler(request, outcome.claims, ...rest);
    const { status, headers, body } = outcome.refusal;
    return new Response(body, { status, headers });
  };
}

export function connectMiddleware(verifyRequest: VerifyRequest): ConnectMiddleware {
  return (request, response, next) =>
    void passOrAnswer(verifyRequest, request, next, ({ status, headers, body }) => {
      response.statusCode = status;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
      response.end(body);
    });
}

/** With a callback: after a hook that returns a promise, Fastify may run the handler while the answer is being sent. */
export function fastifyHook(verifyRequest: VerifyRequest): FastifyHook {
  return (request, reply, done) =>
    void passOrAnswer(verifyRequest, request, done, ({ status, headers, body }) => {
      reply.code(status);
      for (const [name, value] of Object.entries(headers)) reply.header(name, value);
      reply.send(body);
    });
}

async function passOrAnswer(
  verifyRequest: VerifyRequest,
  request: RequestLike,
  pass: (error?: Error) => void,
  answer: (refusal: ProblemReply) => void,
): Promise<void> {
  let outcome: Outcome;
  try {
    outcome = await judge(verifyRequest, request);
  } catch (error) {
    return pass(error as Error);
  }
  if ('claims' in outcome) return pass();
  return answer(outcome.refusal);
}

/** The result for a request: the claims, which it then carries, or the answer. */
type Outcome = { readonly claims: AccessTokenClaims } | { readonly refusal: ProblemReply };

async function judge(verifyRequest: VerifyRequest, request: RequestLike): Promise<Outcome> {
  try {
    const claims = await verifyRequest(request);
    claimsByRequest.set(request, claims);
    // Where Express and compatible servers expect it; a Request of fetch is not changed.
    if (!isFetchHeaders(request.headers)) Object.assign(request, { auth: claims });
    return { claims };
  } catch (error) {
    if (error instanceof TokenRefused || error instanceof Undecided) return { refusal: problemReply(error) };
    throw error;
  }
}

function isFetchHeaders(
  headers: RequestLike['headers'],
): headers is Extract<RequestLike['headers'], { get: unknown }> {
  return 'get' in headers && typeof headers.get === 'function';
}
