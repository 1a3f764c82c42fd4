import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { type Language, languageOf } from '../../texts/language.js';

/** The origin of a request, as sessions and logs keep it. */
export interface Client {
  readonly requestId: string;
  readonly ip: string;
  /** As sent by the client; null if missing. */
  readonly userAgent: string | null;
  /** The language that it prefers of those that exist; absent if it names none. */
  readonly language?: Language;
}

const USER_AGENT_MAX = 512;

/** Injects the client of the request into a handler. */
export const FromClient = createParamDecorator((_data: unknown, context: ExecutionContext): Client => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const { 'user-agent': userAgent, 'accept-language': languages } = request.headers;
  return {
    requestId: request.id,
    ip: request.clientAddress,
    userAgent: userAgent ? userAgent.slice(0, USER_AGENT_MAX) : null,
    ...(languages !== undefined && { language: languageOf(languages) }),
  };
});
