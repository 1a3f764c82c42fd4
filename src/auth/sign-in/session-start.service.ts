import { Injectable } from '@nestjs/common';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { isProofGood, lockAccount } from '../../users/account-lock.js';
import { Containment } from '../containment/containment.service.js';
import type { Guess } from '../lockout/guess.js';
import { Lockout } from '../lockout/lockout.service.js';
import { PresentedSessions } from '../credentials/presented-sessions.service.js';
import type { PresentedCredentials, SignedIn } from '../credentials/presented-sessions.service.js';
import { recordEnded } from '../sessions/ended-sessions.js';
import { SessionsService } from '../sessions/sessions.service.js';
import type { Transport } from '../credentials/auth.strategy.js';
import { createSecret } from '../credentials/opaque-token.js';
import { StrategyRegistry } from '../credentials/strategy-registry.service.js';
import { SignInMails } from './sign-in-mails.service.js';

/** The authenticated user and the methods. */
export interface Proof {
  readonly userId: string;
  /** The verified password hash; null if no password was used. */
  readonly passwordHash: string | null;
  /** RFC 8176 `amr` values. */
  readonly methods: readonly string[];
  /** The correct guesses, whose counters are cleared. */
  readonly guesses: readonly Guess[];
  /**
   * Consumes single-use proofs, in the transaction that creates the session. If it returns false, because a
   * concurrent sign-in consumed one, no session is created.
   */
  readonly consume?: (tx: Queries) => Promise<boolean>;
}

/** The transport of the reply, the presented credentials, and the client. */
export interface SignInRequest {
  readonly transport: Transport;
  readonly credentials: PresentedCredentials;
  readonly client: Client;
}

/** Starts every session, for all methods of authentication. */
@Injectable()
export class SessionStart {
  constructor(
    private readonly database: Database,
    private readonly containment: Containment,
    private readonly sessions: SessionsService,
    private readonly presented: PresentedSessions,
    private readonly strategies: StrategyRegistry,
    private readonly lockout: Lockout,
    private readonly mails: SignInMails,
    private readonly audit: Audit,
  ) {}

  /**
   * Creates a session and ends the presented ones, in one transaction.
   *
   * @returns null if the proof is no longer valid: the password changed or is marked as compromised, the account is
   * disabled, or a factor was consumed.
   */
  async complete(proof: Proof, { transport, credentials, client }: SignInRequest): Promise<SignedIn | null> {
    const replaced = await this.presented.idsOf(credentials);
    return this.database.transaction(async (tx) => {
      const account = await lockAccount(tx, proof.userId);
      if (!account || !isProofGood(account, proof.passwordHash, 'sign_in')) return null;
      if (proof.consume && !(await proof.consume(tx))) return null;
      const subject = { sessionIds: replaced, reason: 'replaced' } as const;
      const ended = await this.containment.contain(tx, 'signed_out', subject);
      await recordEnded(tx, ended, { reason: 'replaced', client });
      const session = await this.sessions.create(tx, proof.userId, proof.methods, client);
      // Of the kind that the row has: the running strategy can have changed since.
      const strategy = this.strategies.get(session.strategy);
      const credential = await strategy.issue(tx, session, transport, createSecret());
      const { userId, sessionId } = session;
      const failures = await this.resetCounters(tx, proof.guesses);
      const device = await this.mails.send(tx, session, failures, client);
      await this.audit.record(
        { kind: 'login', userId, sessionId, client, details: { methods: proof.methods, device } },
        tx,
      );
      return { session, credential };
    });
  }

  private async resetCounters(tx: Queries, guesses: readonly Guess[]): Promise<number> {
    let failures = 0;
    for (const guess of guesses) failures += await this.lockout.succeed(tx, guess);
    return failures;
  }
}
