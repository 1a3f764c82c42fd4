import { randomUUID } from 'node:crypto';
import type { Socket } from 'node:net';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyReply,
  type FastifyRequest,
  LogController,
} from 'fastify';
import type { Logger } from 'pino';
import type { AppConfig } from '../../config/app.config.js';
import { RequestLogger } from '../logging/request-logger.js';
import type { ProblemCode } from '../problems/problem.catalogue.js';
import { Problem } from '../problems/problem.js';
import { writeProblem } from '../problems/write-problem.js';
import type { RateLimiter } from '../throttle/rate-limiter.js';
import { BODY_LIMIT, bodyTypeProblem } from './body-type.js';
import { acceptForms } from './form-body.js';
import { FORWARD_AUTH_PATH } from './forward-auth-path.js';
import { acceptOnlyJson } from './json-body.js';
import type { RouteTable } from './route-table.js';
import { securityHeaders } from './security-headers.js';

/** Milliseconds in which header fields, and the whole request, must have arrived; how long a connection idles. */
const TIMEOUTS = { headers: 10_000, request: 15_000, keepAlive: 72_000 };
const HEADER_LIMIT = 16 * 1024;

/** Replies are JSON of some kind, signed or not, so a client must accept one. */
const ACCEPTS_JSON = /\*\/\*|application\/(?:\*|(?:[a-z.-]+\+)?(?:json|jwt))/i;

/** What Node.js itself takes for the one expectation there is (RFC 9110 §10.1.1), and answers. */
const CONTINUE = /(?:^|\W)100-continue(?:$|\W)/i;

/**
 * Fastify as Nest drives it: limits and timeouts, JSON bodies (forms for OAuth alone), fixed security headers, one log
 * line a request. Everything a request passes before Nest stands here.
 */
export function createHttpAdapter(
  config: AppConfig,
  logger: Logger,
  routes: RouteTable,
  limiter: RateLimiter,
): FastifyAdapter {
  const fixedHeaders = securityHeaders(config);
  const adapter = new FastifyAdapter({
    loggerInstance: logger,
    // One line a request, of our own, instead of Fastify's two.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    childLoggerFactory: (parent: FastifyBaseLogger, bindings: Record<string, unknown>) =>
      new RequestLogger(parent, bindings),
    // Of version 4: it is no key of a table, and Node.js keeps random bytes ready for these.
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    trustProxy: trustedProxies(config),
    bodyLimit: BODY_LIMIT,
    requestTimeout: TIMEOUTS.request,
    keepAliveTimeout: TIMEOUTS.keepAlive,
    http: {
      headersTimeout: TIMEOUTS.headers,
      maxHeaderSize: HEADER_LIMIT,
      connectionsCheckingInterval: 2_000,
      // Node.js would refuse it without a body, and uncounted: requestProblem() does.
      requireHostHeader: false,
    },
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false },
    // Whoever is connected at a stop is still answered; the connection then closes.
    return503OnClosing: false,
    clientErrorHandler: answerBrokenMessage,
    // An address that cannot be decoded is answered before any hook runs.
    frameworkErrors: ({ statusCode }: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      reply.headers(fixedHeaders).header('x-request-id', request.id);
      const problem = new Problem(statusCode === 414 ? 'uri_too_long' : 'malformed_request');
      const answer = (refusal: Problem | null) => writeProblem(reply, refusal ?? problem);
      const counting = limiter.countRequest(request, reply);
      if (counting) counting.then(answer, () => answer(null));
      else answer(null);
    },
    skipMiddie: true,
  });
  const fastify = adapter.getInstance();
  fastify.addHook('onRoute', (route) => routes.add(route.url, route.method));

  fastify.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, proceed) => {
    reply.headers(fixedHeaders).header('x-request-id', request.id);
    // Counted before anything else looks at it: most of what is refused never reaches a guard.
    const counting = limiter.countRequest(request, reply);
    const judge = (refusal: Problem | null) => proceed(refusal ?? requestProblem(request));
    if (counting) counting.then(judge, proceed);
    else judge(null);
  });
  fastify.addHook('onSend', (request: FastifyRequest, reply: FastifyReply, payload, proceed) => {
    const counting = limiter.countRefusal(request, reply);
    if (counting) counting.then(() => proceed(null, payload), proceed);
    else proceed(null, payload);
  });
  fastify.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
    logger.info({
      request_id: request.id,
      event: 'request',
      method: request.method,
      // The route, not the URL: a query or a path parameter may hold what no log should.
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      ip: request.ip,
    });
    done();
  });
  // Node.js would answer an expectation that it does not know by itself: without a body, and uncounted.
  fastify.server.on('checkExpectation', (request, response) =>
    fastify.server.emit('request', request, response),
  );
  acceptOnlyJson(fastify as never);
  acceptForms(fastify as never);
  return adapter;
}

function trustedProxies({
  TRUST_PROXY,
}: AppConfig): false | string[] | ((address: string, hop: number) => boolean) {
  if (TRUST_PROXY === 0) return false;
  return typeof TRUST_PROXY === 'number' ? (_address, hop) => hop < TRUST_PROXY : [...TRUST_PROXY];
}

/** What is wrong with a request whatever its route is. */
function requestProblem(request: FastifyRequest): Problem | undefined {
  const { accept, expect, host } = request.headers;
  if (host === undefined && request.raw.httpVersion === '1.1')
    return new Problem('malformed_request', { detail: 'The Host header is missing.' });
  if (expect !== undefined && !CONTINUE.test(expect)) return new Problem('expectation_failed');
  if (accept && !ACCEPTS_JSON.test(accept) && isNegotiated(request)) return new Problem('not_acceptable');
  return bodyTypeProblem(request) ?? undefined;
}

function isNegotiated({ url, routeOptions }: FastifyRequest): boolean {
  const servesPages = url === '/docs' || url.startsWith('/docs/') || url.startsWith('/account/');
  return !servesPages && routeOptions.url !== FORWARD_AUTH_PATH;
}

/** Answers what is not HTTP, which never reaches a route, and closes the connection. */
function answerBrokenMessage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = new Problem(brokenMessageCode(error.code));
  const body = JSON.stringify(problem.body(randomUUID()));
  socket.end(
    `HTTP/1.1 ${problem.status} Bad Request\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
  );
}

function brokenMessageCode(code: string | undefined): ProblemCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'malformed_request';
}
