import { Inject, Injectable } from '@nestjs/common';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database, type Queries } from '../../platform/database/database.js';
import type { LiveSession } from '../sessions/session-state.js';
import { SecondFactors } from './second-factors.service.js';
import { SessionsService } from '../sessions/sessions.service.js';

/** The step-up check: whether a session's last authentication is recent and strong enough for a sensitive call. */
@Injectable()
export class StepUpCheck {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly factors: SecondFactors,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Whether `auth_time` of a session is within STEP_UP_TTL and, if the user has a second factor now, a factor was
   * proved. After enrolment, older sessions must prove the factor first.
   */
  async isFresh(session: LiveSession): Promise<boolean> {
    if (this.isRecent(session) && hasFactor(session)) return true;
    // Another node may have recorded a proof after this session was cached.
    const found = await this.sessions.findById(session.sessionId);
    if (found?.state !== 'live' || !this.isRecent(found.session)) return false;
    return hasFactor(found.session) || !(await this.factors.has(session.userId));
  }

  /** `isFresh` of a session that was just read under the lock of its account: it stays true in that transaction. */
  async isFreshIn(tx: Queries, session: LiveSession): Promise<boolean> {
    return this.isRecent(session) && (hasFactor(session) || !(await this.factors.has(session.userId, tx)));
  }

  /**
   * Whether a user with a second factor has not proved it yet, for calls that otherwise need only the password.
   *
   * @param queries a transaction that has locked the account and read the session, if the result must stay true.
   */
  async lacksFactor(session: LiveSession, queries?: Queries): Promise<boolean> {
    if (!(await this.factors.has(session.userId, queries))) return false;
    return queries ? !(this.isRecent(session) && hasFactor(session)) : !(await this.isFresh(session));
  }

  private isRecent({ authenticatedAt }: LiveSession): boolean {
    return this.database.clock.now() - authenticatedAt.getTime() <= this.config.STEP_UP_TTL * 1000;
  }
}

function hasFactor({ methods }: LiveSession): boolean {
  return methods.includes('mfa');
}
