import { Inject, Injectable } from '@nestjs/common';
import passport from 'passport';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import type { LiveSession } from '../sessions/sessions.service.js';
import type {
  AuthStrategy,
  CredentialHeaders,
  DeadCredential,
  PresentedCredential,
} from './auth.strategy.js';
import { LocalStrategy } from './local.strategy.js';
import { RefreshStrategy } from './jwt/refresh.strategy.js';
import { StrategyTable } from './strategy.table.js';

/** What one credential of a request turned out to be. */
export type Verdict =
  | { readonly status: 'live'; readonly session: LiveSession }
  | { readonly status: 'dead'; readonly dead: DeadCredential };

/** What all credentials of a request together say. */
export interface Authentication {
  readonly verdicts: readonly Verdict[];
  /** The session that counts: of several of one person, the one in Authorization. */
  readonly live: LiveSession | null;
  /** Why none counts, where at least one was sent; what can be refreshed comes first. */
  readonly dead: DeadCredential | null;
  /** Live credentials of different people. */
  readonly hasConflict: boolean;
}

/** What a Passport strategy answered: success with a value, or failure with its reason. */
export type Outcome<T> = { readonly success: T } | { readonly failure: unknown };

/**
 * Passport, as this application uses it: the only way a credential is verified, one run a credential. "Not
 * authenticated" is a value; an error means that the check itself broke.
 */
@Injectable()
export class Authenticator {
  private readonly passport = new passport.Passport();

  constructor(
    private readonly strategies: StrategyTable,
    local: LocalStrategy,
    refresh: RefreshStrategy,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {
    for (const strategy of strategies.all) this.passport.use(strategy.name, strategy as never);
    this.passport.use('local', local as never);
    this.passport.use('refresh', refresh as never);
  }

  /**
   * Reads every credential that a request carries. One of a kind that is not accepted here opens nothing, but still
   * names the session that a sign-out ends.
   *
   * @throws when a verdict is impossible, because the database is away.
   */
  async read(headers: CredentialHeaders): Promise<Authentication> {
    const verdicts: Verdict[] = [];
    for (const strategy of this.strategies.all) {
      const isAccepted = this.config.AUTH_STRATEGY.includes(strategy.name);
      for (const credential of strategy.extract(headers)) {
        const verdict = await this.judge(strategy, credential);
        verdicts.push(isAccepted ? verdict : asNotAccepted(verdict));
      }
    }
    return summarize(verdicts);
  }

  /**
   * Runs one Passport strategy on one credential.
   *
   * @throws what the strategy reports as an error.
   */
  run<T>(name: string, credential: object): Promise<Outcome<T>> {
    return new Promise((resolve, reject) => {
      const middleware = this.passport.authenticate(
        name,
        { session: false },
        (error: unknown, success: T | false | null, failure: unknown) => {
          if (error) reject(error as Error);
          else resolve(success ? { success } : { failure });
        },
      ) as (request: object, response: object, next: (error?: unknown) => void) => void;
      middleware(credential, {}, reject);
    });
  }

  private async judge(strategy: AuthStrategy, credential: PresentedCredential): Promise<Verdict> {
    const outcome = await this.run<LiveSession>(strategy.name, credential);
    return 'success' in outcome
      ? { status: 'live', session: outcome.success }
      : { status: 'dead', dead: strategy.explain(outcome.failure, credential) };
  }
}

function asNotAccepted(verdict: Verdict): Verdict {
  const sessionId = verdict.status === 'live' ? verdict.session.sessionId : verdict.dead.sessionId;
  return { status: 'dead', dead: { reason: 'invalid', action: 'login', sessionId } };
}

/** The live sessions among verdicts, the one that counts first. */
export function liveSessions(verdicts: readonly Verdict[]): LiveSession[] {
  return verdicts.flatMap((verdict) => (verdict.status === 'live' ? [verdict.session] : []));
}

function summarize(verdicts: readonly Verdict[]): Authentication {
  const live = liveSessions(verdicts);
  const dead = verdicts.flatMap((verdict) => (verdict.status === 'dead' ? [verdict.dead] : []));
  return {
    verdicts,
    live: live[0] ?? null,
    dead:
      dead.find(({ action }) => action === 'refresh') ??
      dead.find(({ reason }) => reason !== 'invalid') ??
      dead[0] ??
      null,
    hasConflict: new Set(live.map(({ userId }) => userId)).size > 1,
  };
}
