import type { FastifyReply } from 'fastify';
import { isOAuthRequest } from '../http/oauth-endpoints.js';
import { oauthError } from './oauth-error.js';
import type { Problem } from './problem.js';

/** Answers with a problem (RFC 9457), or at the OAuth endpoints with an error of RFC 6749 §5.2. */
export function writeProblem(reply: FastifyReply, problem: Problem): void {
  const { request } = reply;
  void reply.code(problem.status).headers(problem.headers).header('cache-control', 'no-store');
  if (isOAuthRequest(request))
    void reply
      .header('pragma', 'no-cache')
      .type('application/json')
      .send(JSON.stringify(oauthError(problem)));
  else void reply.type('application/problem+json').send(JSON.stringify(problem.body(request.id)));
}
