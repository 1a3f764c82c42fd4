import { Inject, Injectable } from '@nestjs/common';
import passport from 'passport';
import type { AuthConfig, StrategyName } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import type { AccessTokenClaims } from '../../verify/access-token.gate.js';
import { holds } from '../exchange/pending-exchanges.service.js';
import type { LiveSession } from '../sessions/session-state.js';
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
  | {
      readonly status: 'live';
      readonly kind: StrategyName;
      readonly session: LiveSession;
      readonly credential: PresentedCredential;
    }
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

/** What a value is that another service was shown. */
export interface Inspection {
  readonly verdict: Verdict;
  /** What it says of itself; null where it is opaque. */
  readonly claims: AccessTokenClaims | null;
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
   * Judges a value that another service was shown, by every strategy: none takes what is of another kind.
   *
   * @returns null for a value that names no session. One that died, or is of a kind that is not accepted here, does.
   * @throws when a verdict is impossible, because the database is away.
   */
  async inspect(value: string): Promise<Inspection | null> {
    for (const strategy of this.strategies.all) {
      const isAccepted = this.config.AUTH_STRATEGY.includes(strategy.name);
      const judged = await this.judge(strategy, { value, via: 'authorization' });
      const verdict = isAccepted ? judged : asNotAccepted(judged);
      if (sessionIdOf(verdict) !== null) return { verdict, claims: strategy.claims?.(value) ?? null };
    }
    return null;
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
    if ('failure' in outcome) return { status: 'dead', dead: strategy.explain(outcome.failure, credential) };
    const session = outcome.success;
    // After an exchange the old kind is dead, whatever a strategy still knows of it.
    if (!holds(session, strategy.name))
      return { status: 'dead', dead: { reason: 'invalid', action: 'login', sessionId: null } };
    return { status: 'live', kind: strategy.name, session, credential };
  }
}

function asNotAccepted(verdict: Verdict): Verdict {
  return { status: 'dead', dead: { reason: 'invalid', action: 'login', sessionId: sessionIdOf(verdict) } };
}

/** The session that a credential proves to have belonged to, live or not; null if it proves none. */
export function sessionIdOf(verdict: Verdict): string | null {
  return verdict.status === 'live' ? verdict.session.sessionId : verdict.dead.sessionId;
}

/** The live sessions among verdicts, the one that counts first. */
export function liveSessions(verdicts: readonly Verdict[]): LiveSession[] {
  return verdicts.flatMap((verdict) => (verdict.status === 'live' ? [verdict.session] : []));
}

/** One pass: every request comes by here. */
function summarize(verdicts: readonly Verdict[]): Authentication {
  let live: LiveSession | null = null;
  let dead: DeadCredential | null = null;
  let hasConflict = false;
  for (const verdict of verdicts) {
    if (verdict.status === 'live') {
      live ??= verdict.session;
      hasConflict ||= verdict.session.userId !== live.userId;
    } else if (dead === null || usefulness(verdict.dead) > usefulness(dead)) {
      dead = verdict.dead;
    }
  }
  return { verdicts, live, dead, hasConflict };
}

/** How much a client can do with the reason: what can be refreshed comes first, then whatever is not merely invalid. */
function usefulness({ action, reason }: DeadCredential): number {
  if (action === 'refresh') return 2;
  return reason === 'invalid' ? 0 : 1;
}
