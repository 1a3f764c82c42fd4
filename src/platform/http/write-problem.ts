import type { FastifyReply } from 'fastify';
import { languageOf } from '../../texts/language.js';
import { isOAuthRequest } from './oauth-endpoints.js';
import { oauthError } from '../problems/oauth-error.js';
import { noteRefusal } from './refusal.js';
import { writeLanguage } from './write-language.js';
import type { Problem } from '../problems/problem.js';

/**
 * Writes a problem (RFC 9457) in the language of the request, or at the OAuth endpoints an error of RFC 6749 §5.2 in
 * English.
 */
export function writeProblem(reply: FastifyReply, problem: Problem): void {
  const { request } = reply;
  noteRefusal(request, { code: problem.code });
  void reply.code(problem.status).headers(problem.headers).header('cache-control', 'no-store');
  if (isOAuthRequest(request)) {
    void reply
      .header('pragma', 'no-cache')
      .type('application/json')
      .send(JSON.stringify(oauthError(problem)));
    return;
  }
  const language = problem.languageFor(languageOf(request.headers['accept-language']));
  writeLanguage(reply, language);
  void reply.type('application/problem+json').send(JSON.stringify(problem.body(request.id, language)));
}
