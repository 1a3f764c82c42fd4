import { Inject, Injectable } from '@nestjs/common';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database, type Queries } from '../../database/database.js';
import type { LiveSession } from '../sessions/session-state.js';
import { SecondFactors } from '../mfa/second-factors.service.js';
import { SessionsService } from '../sessions/sessions.service.js';

/** Whether people proved who they are lately enough for what is sensitive. */
@Injectable()
export class Freshness {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly factors: SecondFactors,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Whether the last proof of a session's person, its `auth_time`, lies within STEP_UP_TTL, and was all that is asked of
   * them now: a session from before there was a second factor has to show one first.
   */
  async isFresh(session: LiveSession): Promise<boolean> {
    if (this.isRecent(session) && hasFactor(session)) return true;
    // What is remembered here may be older than a proof that another node has just taken.
    const found = await this.sessions.findById(session.sessionId);
    if (found?.state !== 'live' || !this.isRecent(found.session)) return false;
    return hasFactor(found.session) || !(await this.factors.has(session.userId));
  }

  /**
   * Whether a person with a second factor has yet to show it: for what a right password is proof enough of otherwise.
   *
   * @param queries a transaction that holds the account and has read the session, where it must stay true.
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
