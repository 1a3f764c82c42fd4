import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { RouteTable } from './route-table.js';
import { isDatabaseOutage } from './database-outage.js';
import type { ProblemCode } from '../problems/problem.catalogue.js';
import { BreachCheckUnavailable, Overloaded, Unavailable } from '../problems/overload.js';
import { Problem } from '../problems/problem.js';
import { writeProblem } from './write-problem.js';

/** `Retry-After` in seconds when the database is unavailable. */
const RETRY_AFTER_OUTAGE = '5';

const CODE_OF_STATUS: Readonly<Record<number, ProblemCode>> = {
  400: 'malformed_request',
  404: 'not_found',
  408: 'request_timeout',
  413: 'body_too_large',
  414: 'uri_too_long',
  415: 'unsupported_media_type',
};

/**
 * The only place where an error becomes a response. The client gets what the catalogue allows; the log gets the rest.
 */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly routes: RouteTable) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    if (reply.sent) return;
    const problem = this.toProblem(error, request);
    logFailure(request, problem, error);
    writeProblem(reply, problem);
  }

  private toProblem(error: unknown, request: FastifyRequest): Problem {
    if (error instanceof Problem) return error;
    if (error instanceof Unavailable || isDatabaseOutage(error)) {
      return new Problem('service_unavailable', { headers: { 'retry-after': RETRY_AFTER_OUTAGE } });
    }
    if (error instanceof Overloaded) {
      return new Problem('overloaded', { headers: { 'retry-after': String(error.retryAfter) } });
    }
    if (error instanceof BreachCheckUnavailable) {
      return new Problem('breach_check_unavailable', { headers: { 'retry-after': RETRY_AFTER_OUTAGE } });
    }
    const status = statusOf(error);
    if (status === 404) return this.routes.problemOf(request.url);
    const code = status === undefined ? undefined : CODE_OF_STATUS[status];
    return new Problem(code ?? 'internal_error');
  }
}

/** Logs an outage in one line, and our own faults with their stack. */
function logFailure(request: FastifyRequest, { code, status }: Problem, error: unknown): void {
  if (status < 500) return;
  if (code === 'internal_error')
    request.log.error({ event: 'request_failed', code, err: error }, 'request failed');
  else request.log.warn({ event: 'request_refused', code, cause: causeOf(error) });
}

function causeOf(error: unknown): string {
  const { code, name } = error as { code?: unknown; name?: unknown };
  return String(code ?? name);
}

/** Returns the 4xx status that Nest or Fastify gave an error of the request, if any. */
function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  if (typeof error !== 'object' || error === null || !('statusCode' in error)) return undefined;
  return typeof error.statusCode === 'number' ? error.statusCode : undefined;
}
