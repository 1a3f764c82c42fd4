import { Injectable } from '@nestjs/common';
import passport from 'passport';
import type { Queries } from '../../../database/database.js';
import { Cookies } from '../../../http/cookies.js';
import { type LiveSession, SessionsService } from '../../sessions/sessions.service.js';
import type {
  AuthStrategy,
  CredentialHeaders,
  DeadCredential,
  IssuedCredential,
  PresentedCredential,
} from '../auth.strategy.js';
import { createToken, hashToken, isToken } from '../opaque-token.js';

const PREFIX = 'trf_st_';

/**
 * An opaque cookie. Its value is random and only its hash is kept; an id that was not issued here is never adopted
 * (OWASP: strict session management).
 */
@Injectable()
export class SessionStrategy extends passport.Strategy implements AuthStrategy {
  override readonly name = 'session';

  constructor(
    private readonly sessions: SessionsService,
    private readonly cookies: Cookies,
  ) {
    super();
  }

  extract({ cookie }: CredentialHeaders): PresentedCredential[] {
    return this.cookies.read(cookie, 'session').map((value) => ({ value, via: 'cookie' }));
  }

  /** Passport's verb: success with the live session, fail with why it is dead, error when it cannot be told. */
  override authenticate(credential: unknown): void {
    const { value } = credential as PresentedCredential;
    this.read(value).then(
      (result) => ('reason' in result ? this.fail(result) : this.success(result)),
      (error: unknown) => this.error(error),
    );
  }

  explain(failure: unknown): DeadCredential {
    return failure as DeadCredential;
  }

  async issue(tx: Queries, session: LiveSession): Promise<IssuedCredential> {
    const value = createToken(PREFIX);
    await this.sessions.setSecretHash(tx, session.sessionId, hashToken(value));
    return { cookies: [{ name: 'session', value }], body: {} };
  }

  private async read(value: string): Promise<LiveSession | DeadCredential> {
    const found = isToken(PREFIX, value) ? await this.sessions.findBySecretHash(hashToken(value)) : null;
    if (found === null) return { reason: 'invalid', action: 'login', sessionId: null };
    if (found.state === 'live') return found.session;
    return { reason: found.state, action: 'login', sessionId: found.sessionId };
  }
}
