import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

/** Where a request comes from: what a session and the log keep of it. */
export interface Client {
  readonly requestId: string;
  readonly ip: string;
  /** As the client says; null if it does not. */
  readonly userAgent: string | null;
}

const USER_AGENT_MAX = 512;

/** Hands a handler where its request comes from. */
export const FromClient = createParamDecorator((_data: unknown, context: ExecutionContext): Client => {
  const request = context.switchToHttp().getRequest<FastifyRequest>();
  const userAgent = request.headers['user-agent'];
  return {
    requestId: request.id,
    ip: request.ip,
    userAgent: userAgent ? userAgent.slice(0, USER_AGENT_MAX) : null,
  };
});
