import type { FastifyReply } from 'fastify';
import type { Problem } from './problem.js';

/** Answers with a problem (RFC 9457). */
export function writeProblem(reply: FastifyReply, problem: Problem): void {
  void reply
    .code(problem.status)
    .headers(problem.headers)
    .header('cache-control', 'no-store')
    .type('application/problem+json')
    .send(JSON.stringify(problem.body(reply.request.id)));
}
