import { Injectable } from '@nestjs/common';
import passport from 'passport';
import type { Queries } from '../../../platform/database/database.js';
import { Cookies } from '../../../platform/http/cookies.js';
import type { LiveSession } from '../../sessions/session-state.js';
import { SessionsService } from '../../sessions/sessions.service.js';
import { VerifiedCredentials } from '../../sessions/verified-credentials.service.js';
import type {
  AuthStrategy,
  CredentialHeaders,
  DeadCredential,
  IssuedCredential,
  PresentedCredential,
  Transport,
} from '../../credentials/auth.strategy.js';
import { encodeToken, hashToken, hasTokenPrefix, isToken } from '../../credentials/opaque-token.js';

const PREFIX = 'trf_st_';
const INVALID: DeadCredential = { reason: 'invalid', action: 'login', sessionId: null };

/**
 * An opaque cookie. Its value is random and only its hash is stored; an id that was not issued here is never accepted
 * (OWASP: strict session management).
 */
@Injectable()
export class SessionStrategy extends passport.Strategy implements AuthStrategy {
  override readonly name = 'session';

  constructor(
    private readonly sessions: SessionsService,
    private readonly verified: VerifiedCredentials,
    private readonly cookies: Cookies,
  ) {
    super();
  }

  extract({ cookie }: CredentialHeaders): PresentedCredential[] {
    return this.cookies.read(cookie, 'session').map((value) => ({ value, via: 'cookie' }));
  }

  recognizes(value: string): boolean {
    return hasTokenPrefix(value);
  }

  /** Passport's verb: success with the live session, fail with the reason, error if no verdict is possible. */
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

  async confirm(tx: Queries, { sessionId }: LiveSession, { value }: PresentedCredential): Promise<boolean> {
    const found = await this.sessions.findBySecretHash(hashToken(value), tx);
    return found?.state === 'live' && found.session.sessionId === sessionId;
  }

  async issue(
    tx: Queries,
    session: LiveSession,
    _transport: Transport,
    secret: Buffer,
  ): Promise<IssuedCredential> {
    const value = encodeToken(PREFIX, secret);
    await this.sessions.setSecretHash(tx, session.sessionId, hashToken(value));
    return { cookies: [{ name: 'session', value }], body: {} };
  }

  async renew(
    tx: Queries,
    { sessionId }: LiveSession,
    credential: PresentedCredential,
    secret: Buffer,
  ): Promise<IssuedCredential> {
    const value = encodeToken(PREFIX, secret);
    await this.sessions.replaceSecretHash(tx, sessionId, hashToken(credential.value), hashToken(value));
    return { cookies: [{ name: 'session', value }], body: {} };
  }

  private async read(value: string): Promise<LiveSession | DeadCredential> {
    if (!isToken(PREFIX, value)) return { ...INVALID, check: 'malformed' };
    const known = this.verified.find(this.name, value);
    if (known) return known;
    const reading = this.verified.begin();
    const hash = hashToken(value);
    const found = await this.sessions.findBySecretHash(hash);
    if (found === null) {
      // A cookie that was replaced gives no access, and still names its session for a sign-out.
      const sessionId = await this.sessions.findIdByFormerHash(hash);
      return { ...INVALID, sessionId, check: sessionId === null ? 'unknown' : 'replaced' };
    }
    if (found.state === 'live') {
      this.verified.remember(reading, this.name, value, found.session, found.session.expiresAt);
      return found.session;
    }
    return { reason: found.state, action: 'login', sessionId: found.sessionId };
  }
}
