import { Injectable } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Database } from '../../platform/database/database.js';
import { Cookies } from '../../platform/http/cookies.js';
import { bearerToken } from './auth.strategy.js';
import type { LoginReply } from './credential.dto.js';
import type { SignedIn } from './presented-sessions.service.js';

/** Writes credentials into replies: the only place that sets and clears cookies. */
@Injectable()
export class CredentialReply {
  constructor(
    private readonly cookies: Cookies,
    private readonly database: Database,
  ) {}

  /** Sets the cookies of a credential. */
  write(reply: FastifyReply, signedIn: SignedIn): void {
    setCookies(reply, this.cookiesOf(signedIn));
  }

  /** Sets the cookies of a credential and clears those of the sessions that it replaced. */
  replace(request: FastifyRequest, reply: FastifyReply, signedIn: SignedIn): void {
    const set = new Set<string>(signedIn.credential.cookies.map(({ name }) => name));
    const stale = this.cookies.present(request.headers.cookie).filter((name) => !set.has(name));
    setCookies(reply, [...stale.flatMap((name) => this.cookies.clear(name)), ...this.cookiesOf(signedIn)]);
  }

  /** The body of a sign-in reply. */
  body({ session, credential }: SignedIn): LoginReply {
    return {
      success: true,
      email: session.email,
      session: {
        id: session.sessionId,
        strategy: session.strategy,
        created_at: session.createdAt.toISOString(),
        expires_at: session.expiresAt.toISOString(),
      },
      ...credential.body,
    };
  }

  /** Clears all cookies that this service has ever set, under every name, the live ones last. */
  clearAll(reply: FastifyReply): void {
    setCookies(reply, this.cookies.clearAll(reply.request.headers.cookie));
  }

  /** All values in the places for credentials of a request, whatever they are. */
  presented({ headers }: FastifyRequest): string[] {
    const bearer = bearerToken(headers.authorization);
    const { cookie } = headers;
    const cookies = this.cookies.present(cookie).flatMap((name) => this.cookies.read(cookie, name));
    return bearer === null ? cookies : [bearer, ...cookies];
  }

  /** The refresh tokens in the cookies of a request. */
  refreshTokens(request: FastifyRequest): string[] {
    return this.cookies.read(request.headers.cookie, 'refresh_token');
  }

  private cookiesOf({ session, credential }: SignedIn): string[] {
    const secondsLeft = (session.expiresAt.getTime() - this.database.clock.now()) / 1000;
    return credential.cookies.map(({ name, value }) => this.cookies.set(name, value, secondsLeft));
  }
}

function setCookies(reply: FastifyReply, values: string[]): void {
  if (values.length > 0) reply.header('set-cookie', values);
}
