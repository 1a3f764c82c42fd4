import type { FastifyReply } from 'fastify';

/** Says that the reply depends on Accept-Language (RFC 9110 §12.5.5), beside what CORS says. */
export function varyByLanguage(reply: FastifyReply): void {
  const others = reply.getHeader('vary');
  void reply.header('vary', others === undefined ? 'Accept-Language' : `${others}, Accept-Language`);
}
