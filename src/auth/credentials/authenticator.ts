import { Injectable } from '@nestjs/common';
import passport from 'passport';
import type { StrategyName } from '../../../config/auth.config.js';
import type { Role } from '../../platform/http/access.decorators.js';
import type { AccessTokenClaims } from '../../verify/access-token.gate.js';
import { holds } from '../sessions/pending-exchanges.service.js';
import { RunningStrategy } from '../sessions/running-strategy.js';
import type { LiveSession } from '../sessions/session-state.js';
import type {
  AuthStrategy,
  CredentialHeaders,
  DeadCredential,
  PresentedCredential,
} from './auth.strategy.js';
import { StrategyRegistry } from './strategy-registry.service.js';

/** The verdict on one presented credential. */
export type Verdict =
  | {
      readonly status: 'live';
      readonly kind: StrategyName;
      readonly session: LiveSession;
      readonly credential: PresentedCredential;
    }
  | {
      readonly status: 'dead';
      readonly kind: StrategyName;
      readonly dead: DeadCredential;
      /** Whether it has the form of our credentials and was never issued. */
      readonly isWrongGuess: boolean;
    };

/** What a route requires of a live session. */
export interface RouteRequirements {
  readonly role: Role | null;
  readonly needsStepUp: boolean;
}

/** The combined verdict on all presented credentials. */
export interface Authentication {
  readonly verdicts: readonly Verdict[];
  /** The session of the request. If a user presents several, the one in Authorization takes precedence. */
  readonly live: LiveSession | null;
  /** Why no session is live, if any credential was presented; refreshable credentials take precedence. */
  readonly dead: DeadCredential | null;
  /** Live credentials of different users. */
  readonly hasConflict: boolean;
  /** Whether a credential is a wrong guess. Values of other issuers are none: applications have their own. */
  readonly hasWrongGuess: boolean;
  /** What the guards of the route checked, possibly on a cached verdict: `ActorLock` checks it again on the rows. */
  readonly requires: RouteRequirements;
}

/** The authentication of a request with a live session. */
export type LiveAuthentication = Authentication & { readonly live: LiveSession };

/** The verdict on a value that another service received. */
export interface Inspection {
  readonly verdict: Verdict;
  /** Its claims; null if it is opaque. */
  readonly claims: AccessTokenClaims | null;
}

/** The browser has dropped the credential, and still holds what renews it. */
const DROPPED: DeadCredential = { reason: 'expired', action: 'refresh', sessionId: null };

/** The result of a Passport strategy: success with a value, or failure with a reason. */
export type Outcome<T> = { readonly success: T } | { readonly failure: unknown };

/**
 * Runs Passport: the only way to verify a credential, one run for each. "Not authenticated" is a value; an error
 * means that the check itself failed.
 */
@Injectable()
export class Authenticator {
  private readonly passport = new passport.Passport();

  constructor(
    private readonly strategies: StrategyRegistry,
    private readonly running: RunningStrategy,
  ) {}

  /** Registers a Passport strategy under its name, before the first request. */
  use(strategy: { readonly name: string }): void {
    this.passport.use(strategy.name, strategy as never);
  }

  /**
   * Verifies all credentials of a request. A kind that is not accepted here gives no access, but still names the
   * session for a sign-out.
   *
   * @throws if no verdict is possible because the database is unavailable.
   */
  async read(headers: CredentialHeaders, requires: RouteRequirements): Promise<Authentication> {
    const verdicts: Verdict[] = [];
    for (const strategy of this.strategies.all) {
      const isAccepted = this.running.accepts(strategy.name);
      for (const credential of strategy.extract(headers)) {
        const verdict = await this.judge(strategy, credential);
        verdicts.push(isAccepted ? verdict : asNotAccepted(verdict));
      }
    }
    const summary = summarize(verdicts, requires);
    return verdicts.length === 0 && this.canRefresh(headers) ? { ...summary, dead: DROPPED } : summary;
  }

  /**
   * Checks a value that another service received, with every strategy: none accepts a value of another kind.
   *
   * @returns null for a value that names no session. Expired values, and kinds that are not accepted, return a
   * verdict.
   * @throws if no verdict is possible because the database is unavailable.
   */
  async inspect(value: string): Promise<Inspection | null> {
    for (const strategy of this.strategies.all) {
      const isAccepted = this.running.accepts(strategy.name);
      const judged = await this.judge(strategy, { value, via: 'authorization' });
      const verdict = isAccepted ? judged : asNotAccepted(judged);
      if (sessionIdOf(verdict) !== null) return { verdict, claims: strategy.claims?.(value) ?? null };
    }
    return null;
  }

  /**
   * The session that a value was issued for, whatever its kind and the place it was sent in, live or not; null if it
   * names none. It gives no access.
   *
   * @throws if that is unknown because the database is unavailable.
   */
  async identify(value: string): Promise<string | null> {
    for (const strategy of this.strategies.all) {
      const sessionId = strategy.identify
        ? await strategy.identify(value)
        : sessionIdOf(await this.judge(strategy, { value, via: 'authorization' }));
      if (sessionId !== null) return sessionId;
    }
    return null;
  }

  /** Whether a value has the form of our credentials, of any kind. */
  recognizes(value: string): boolean {
    return this.strategies.all.some((strategy) => strategy.recognizes(value));
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

  private canRefresh(headers: CredentialHeaders): boolean {
    return this.strategies.all.some(
      (strategy) => this.running.accepts(strategy.name) && strategy.canRefresh?.(headers),
    );
  }

  private async judge(strategy: AuthStrategy, credential: PresentedCredential): Promise<Verdict> {
    const outcome = await this.run<LiveSession>(strategy.name, credential);
    if ('failure' in outcome) {
      const dead = strategy.explain(outcome.failure, credential);
      const isWrongGuess =
        dead.reason === 'invalid' && dead.sessionId === null && strategy.recognizes(credential.value);
      return { status: 'dead', kind: strategy.name, dead, isWrongGuess };
    }
    const session = outcome.success;
    // After an exchange the old kind is invalid, even if the strategy still knows it.
    if (!holds(session, strategy.name))
      return {
        status: 'dead',
        kind: strategy.name,
        dead: { reason: 'invalid', action: 'login', sessionId: session.sessionId, check: 'exchanged' },
        isWrongGuess: false,
      };
    return { status: 'live', kind: strategy.name, session, credential };
  }
}

function asNotAccepted(verdict: Verdict): Verdict {
  const dead: DeadCredential = {
    reason: 'invalid',
    action: 'login',
    sessionId: sessionIdOf(verdict),
    check: 'not_accepted',
  };
  return {
    status: 'dead',
    kind: verdict.kind,
    dead,
    isWrongGuess: verdict.status === 'dead' && verdict.isWrongGuess,
  };
}

/** The session that a credential provably belonged to, live or not; null for none. */
export function sessionIdOf(verdict: Verdict): string | null {
  return verdict.status === 'live' ? verdict.session.sessionId : verdict.dead.sessionId;
}

/** Which checks refused the dead credentials, for the log: `session:unknown`, `jwt:wrong_issuer`. */
export function failedChecks(verdicts: readonly Verdict[]): string | null {
  const failed = verdicts.flatMap((verdict) =>
    verdict.status === 'dead' ? [`${verdict.kind}:${verdict.dead.check ?? verdict.dead.reason}`] : [],
  );
  return failed.length === 0 ? null : failed.join(',');
}

/** The live sessions among verdicts, in order of precedence. */
export function liveSessions(verdicts: readonly Verdict[]): LiveSession[] {
  return verdicts.flatMap((verdict) => (verdict.status === 'live' ? [verdict.session] : []));
}

/** One pass, because every request runs it. */
function summarize(verdicts: readonly Verdict[], requires: RouteRequirements): Authentication {
  let live: LiveSession | null = null;
  let dead: DeadCredential | null = null;
  let hasConflict = false;
  let hasWrongGuess = false;
  for (const verdict of verdicts) {
    if (verdict.status === 'live') {
      live ??= verdict.session;
      hasConflict ||= verdict.session.userId !== live.userId;
      continue;
    }
    hasWrongGuess ||= verdict.isWrongGuess;
    if (dead === null || usefulness(verdict.dead) > usefulness(dead)) {
      dead = verdict.dead;
    }
  }
  return { verdicts, live, dead, hasConflict, hasWrongGuess, requires };
}

/** Order of reasons by use to the client: refreshable first, then all that are not merely invalid. */
function usefulness({ action, reason }: DeadCredential): number {
  if (action === 'refresh') return 2;
  return reason === 'invalid' ? 0 : 1;
}
