import type { FastifyReply } from 'fastify';
import type { Language } from '../../texts/language.js';

/** Says in which language a reply is, and that it depends on Accept-Language (RFC 9110 §8.5, §12.5.5). */
export function writeLanguage(reply: FastifyReply, language: Language): void {
  void reply.header('content-language', language);
  const others = reply.getHeader('vary');
  void reply.header('vary', others === undefined ? 'Accept-Language' : `${others}, Accept-Language`);
}
