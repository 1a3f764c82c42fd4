import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { COOKIE_NAMES, Cookies } from '../http/cookies.js';
import type { SignedIn } from './auth.service.js';

/** Writes credentials into replies: the one place where cookies are set and cleared. */
@Injectable()
export class CredentialReply {
  constructor(private readonly cookies: Cookies) {}

  /** Sets the cookies of a credential, and clears those that the request brought and that are not replaced. */
  write(request: FastifyRequest, reply: FastifyReply, { session, credential }: SignedIn): void {
    const secondsLeft = (session.expiresAt.getTime() - Date.now()) / 1000;
    const set = new Set<string>(credential.cookies.map(({ name }) => name));
    const stale = this.cookies.present(request.headers.cookie).filter((name) => !set.has(name));
    const values = [
      ...stale.flatMap((name) => this.cookies.clear(name)),
      ...credential.cookies.map(({ name, value }) => this.cookies.set(name, value, secondsLeft)),
    ];
    if (values.length > 0) reply.header('set-cookie', values);
  }

  /** Clears every cookie we ever set, in every spelling. */
  clearAll(reply: FastifyReply): void {
    reply.header(
      'set-cookie',
      COOKIE_NAMES.flatMap((name) => this.cookies.clear(name)),
    );
  }

  /** The refresh tokens in the cookies of a request. */
  refreshTokens(request: FastifyRequest): string[] {
    return this.cookies.read(request.headers.cookie, 'refresh_token');
  }
}
