import { randomUUID } from 'node:crypto';
import { type IncomingMessage, ServerResponse, STATUS_CODES } from 'node:http';
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
import type { AppConfig } from '../../../config/app.config.js';
import { RequestLogger } from '../logging/request-logger.js';
import type { ProblemCode } from '../problems/problem.catalogue.js';
import { Problem } from '../problems/problem.js';
import { writeProblem } from '../http/write-problem.js';
import type { Drain } from '../http/drain.js';
import type { RateLimiter } from '../throttle/rate-limiter.js';
import { BODY_LIMIT } from '../http/body-type.js';
import { ClientAddresses } from '../http/client-address.js';
import { acceptForms } from '../http/form-body.js';
import { readCheck } from '../http/forward-auth-path.js';
import { acceptOnlyJson } from '../http/json-body.js';
import { refusalOf } from '../http/refusal.js';
import { requestProblem } from '../http/request-problem.js';
import type { RouteTable } from '../http/route-table.js';
import { securityHeaders } from '../http/security-headers.js';

/** Time limits in milliseconds for header fields and for the whole request. */
const TIMEOUTS = { headers: 10_000, request: 15_000 };
const HEADER_LIMIT = 16 * 1024;

/**
 * Fastify for Nest: limits and timeouts, JSON bodies (forms at the OAuth endpoints only), fixed security headers, and
 * one log line per request. Everything that happens to a request before Nest is here.
 */
export function createHttpAdapter(
  config: AppConfig,
  logger: Logger,
  routes: RouteTable,
  limiter: RateLimiter,
  drain: Drain,
): FastifyAdapter {
  const fixedHeaders = securityHeaders(config);
  const addresses = new ClientAddresses(config, logger);
  const adapter = new FastifyAdapter({
    loggerInstance: logger,
    // Our own line per request replaces Fastify's two.
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    childLoggerFactory: (parent: FastifyBaseLogger, bindings: Record<string, unknown>) =>
      new RequestLogger(parent, bindings),
    // Version 4, because the id is no table key, and Node.js caches random bytes for it.
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    rewriteUrl: readCheck,
    bodyLimit: BODY_LIMIT,
    requestTimeout: TIMEOUTS.request,
    keepAliveTimeout: config.KEEP_ALIVE_TIMEOUT * 1000,
    http: {
      headersTimeout: TIMEOUTS.headers,
      maxHeaderSize: HEADER_LIMIT,
      connectionsCheckingInterval: 2_000,
      // Node.js would refuse the request without a body and without counting it; requestProblem() does both.
      requireHostHeader: false,
    },
    routerOptions: { caseSensitive: true, ignoreTrailingSlash: false, ignoreDuplicateSlashes: false },
    // Answer connected clients during shutdown, then close their connections.
    return503OnClosing: false,
    clientErrorHandler: answerBrokenMessage,
    // A URL that cannot be decoded is answered before any hook runs.
    frameworkErrors: ({ statusCode }: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      reply.headers(fixedHeaders).header('x-request-id', request.id);
      // Fastify builds such a request without our decoration.
      Object.defineProperty(request, 'clientAddress', { get: () => addresses.of(request) });
      closeIfDraining(reply, drain);
      const problem = new Problem(statusCode === 414 ? 'uri_too_long' : 'malformed_request');
      const answer = (refusal: Problem | null) => writeProblem(reply, refusal ?? problem);
      const counting = limiter.countRequest(request, reply);
      if (counting) counting.then(answer, () => answer(null));
      else answer(null);
    },
    skipMiddie: true,
  });
  const fastify = adapter.getInstance();
  fastify.decorateRequest('clientAddress', {
    getter(this: FastifyRequest) {
      return addresses.of(this);
    },
  });
  fastify.addHook('onRoute', ({ url, method }) => {
    // The route of all preflights is of no path.
    if (url !== '*') routes.add(url, method);
  });

  fastify.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, proceed) => {
    reply.headers(fixedHeaders).header('x-request-id', request.id);
    // Count before any other check: most refused requests never reach a guard.
    const counting = limiter.countRequest(request, reply);
    const judge = (refusal: Problem | null) =>
      proceed(refusal ?? requestProblem(request, routes) ?? undefined);
    if (counting) counting.then(judge, proceed);
    else judge(null);
  });
  fastify.addHook('onSend', (request: FastifyRequest, reply: FastifyReply, payload, proceed) => {
    closeIfDraining(reply, drain);
    const completing = limiter.complete(request, reply);
    if (completing) completing.then(() => proceed(null, payload), proceed);
    else proceed(null, payload);
  });
  fastify.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
    logger.info({
      request_id: request.id,
      event: 'request',
      method: request.method,
      // Log the route, not the URL: queries and path parameters can contain secrets.
      route: request.routeOptions.url ?? 'none',
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime * 10) / 10,
      ip: request.clientAddress,
      ...refusalOf(request, reply.statusCode),
    });
    done();
  });
  // Node.js would answer an unknown expectation without a body and without counting it.
  fastify.server.on('checkExpectation', (request, response) =>
    fastify.server.emit('request', request, response),
  );
  // Node.js would close the connection without an answer.
  fastify.server.on('connect', (request: IncomingMessage, socket: Socket) => {
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.shouldKeepAlive = false;
    response.on('finish', () => socket.end());
    fastify.server.emit('request', request, response);
  });
  acceptOnlyJson(fastify as never);
  acceptForms(fastify as never);
  return adapter;
}

/** A client that keeps the connection would lose its next request when the port closes. */
function closeIfDraining(reply: FastifyReply, drain: Drain): void {
  if (drain.isUnderWay) reply.header('connection', 'close');
}

/** Answers a message that is not HTTP, which never reaches a route, and closes the connection. */
function answerBrokenMessage(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const problem = new Problem(brokenMessageCode(error.code));
  const body = JSON.stringify(problem.body(randomUUID()));
  socket.end(
    `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\nContent-Type: application/problem+json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n${body}`,
  );
}

function brokenMessageCode(code: string | undefined): ProblemCode {
  if (code === 'HPE_HEADER_OVERFLOW') return 'headers_too_large';
  return code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'malformed_request';
}
