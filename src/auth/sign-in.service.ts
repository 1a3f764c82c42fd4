import { Injectable } from '@nestjs/common';
import { Audit } from '../audit/audit.service.js';
import { Database, type Queries } from '../database/database.js';
import type { Client } from '../http/client.decorator.js';
import { Outbox } from '../mail/outbox.service.js';
import { UsersService } from '../users/users.service.js';
import { KnownDevices } from './lockout/known-devices.service.js';
import type { Guess } from './lockout/guess.js';
import { Lockout } from './lockout/lockout.service.js';
import { PresentedSessions } from './presented-sessions.service.js';
import type { Brought, SignedIn } from './presented-sessions.service.js';
import { recordEnded } from './sessions/ended-sessions.js';
import { SessionsService } from './sessions/sessions.service.js';
import type { Transport } from './strategies/auth.strategy.js';
import { createSecret } from './strategies/opaque-token.js';
import { StrategyTable } from './strategies/strategy.table.js';

/** That somebody proved who they are, and how. */
export interface Proof {
  readonly userId: string;
  /** The password that was verified; null where there was none. */
  readonly passwordHash: string | null;
  /** RFC 8176 `amr` values. */
  readonly methods: readonly string[];
  /** The guesses that were right: their counters start anew. */
  readonly guesses: readonly Guess[];
  /**
   * Uses up what can be used once, in the transaction that makes the session; false if it was used meanwhile, and then
   * there is no session.
   */
  readonly consume?: (tx: Queries) => Promise<boolean>;
}

/** How the reply travels, what the request brought along, and where it came from. */
export interface SignInRequest {
  readonly transport: Transport;
  readonly brought: Brought;
  readonly client: Client;
}

/** Wrong guesses after which a success is told by mail. */
const MANY_FAILURES = 5;

/** The one way to a session, whatever proved who it is. */
@Injectable()
export class SignIns {
  constructor(
    private readonly database: Database,
    private readonly users: UsersService,
    private readonly sessions: SessionsService,
    private readonly presented: PresentedSessions,
    private readonly strategies: StrategyTable,
    private readonly lockout: Lockout,
    private readonly devices: KnownDevices,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
  ) {}

  /**
   * Makes a session, and ends those that the request brought along, in one transaction.
   *
   * @returns null if the proof does not hold any more: another password, one that is marked as compromised, a disabled
   * account, a factor used up.
   */
  async complete(proof: Proof, { transport, brought, client }: SignInRequest): Promise<SignedIn | null> {
    const replaced = await this.presented.idsOf(brought);
    return this.database.transaction(async (tx) => {
      if (!(await this.users.lockForProof(tx, proof.userId, proof.passwordHash, 'sign_in'))) return null;
      if (proof.consume && !(await proof.consume(tx))) return null;
      const ended = await this.sessions.revoke(replaced, 'replaced', tx);
      await recordEnded(tx, ended, { reason: 'replaced', client });
      const session = await this.sessions.create(tx, proof.userId, proof.methods, client);
      const credential = await this.strategies.issuing.issue(tx, session, transport, createSecret());
      const { userId, sessionId, email } = session;
      const failures = await this.startAnew(tx, proof.guesses);
      const device = await this.devices.note(tx, userId, client);
      const params = { ip: client.ip, user_agent: client.userAgent ?? '' };
      if (failures >= MANY_FAILURES)
        await this.outbox.add(tx, {
          kind: 'sign_in_after_failures',
          userId,
          recipient: email,
          params: { ...params, failures: String(failures) },
        });
      else if (device === 'new')
        await this.outbox.add(tx, { kind: 'new_device', userId, recipient: email, params });
      await this.audit.record(
        { kind: 'login', userId, sessionId, client, details: { methods: proof.methods, device } },
        tx,
      );
      return { session, credential };
    });
  }

  private async startAnew(tx: Queries, guesses: readonly Guess[]): Promise<number> {
    let failures = 0;
    for (const guess of guesses) failures += await this.lockout.succeed(tx, guess);
    return failures;
  }
}
