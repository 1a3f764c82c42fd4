import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import qrCode from 'qrcode';
import type { AppConfig } from '../../../../config/app.config.js';
import { APP_CONFIG } from '../../../../config/tokens.config.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import { NOW, secondsAgo } from '../../../platform/database/sql-time.js';
import type { Guess } from '../../lockout/guess.js';
import { Lockout } from '../../lockout/lockout.service.js';
import type { EndedActor } from '../../credentials/actor-lock.service.js';
import type { LiveAuthentication } from '../../credentials/authenticator.js';
import type { FactorsTables } from '../factors.tables.js';
import { FactorChanges, type FactorRequest } from '../factor-changes.service.js';
import { removeStrandedRecoveryCodes } from '../remove-factors.js';
import { findFactorOwner } from '../factor-owner.js';
import { SecondFactors } from '../../assurance/second-factors.service.js';
import { enrolmentOf, newSeed, stepOf } from './totp-code.js';
import { TotpSeeds } from './totp-seeds.service.js';

/** Seconds to confirm a new authenticator. */
const PENDING_TTL = 3600;

/** The data for an authenticator app, shown once. */
export interface NewAuthenticator {
  /** In base32. */
  readonly secret: string;
  readonly uri: string;
  /** The URI as a QR code. */
  readonly svg: string;
}

/** Adds, replaces and removes an authenticator app. */
@Injectable()
export class TotpEnrolment {
  private readonly issuer: string;

  constructor(
    private readonly database: Database,
    private readonly seeds: TotpSeeds,
    private readonly lockout: Lockout,
    private readonly factors: SecondFactors,
    private readonly changes: FactorChanges,
    @Inject(APP_CONFIG) { PUBLIC_URL }: AppConfig,
  ) {
    // The issuer must not contain a colon: apps split the label there.
    this.issuer = new URL(PUBLIC_URL).hostname.replaceAll(':', '.');
  }

  /**
   * Creates a seed that becomes active when a code of it is confirmed. Until then the existing authenticator stays
   * active.
   *
   * @returns the refusal if the actor may not act any more.
   */
  async begin(actor: LiveAuthentication): Promise<NewAuthenticator | EndedActor> {
    const { userId } = actor.live;
    const seed = newSeed();
    const sealed = this.seeds.seal(userId, seed);
    const pending = { pending_seed: sealed, pending_at: NOW };
    const owner = await this.database.transaction(async (tx) => {
      const locked = await this.changes.lockOwner(tx, { actor });
      if (locked.status === 'ended') return locked;
      await tx
        .of<FactorsTables>()
        .insertInto('totp_authenticators')
        .values({ user_id: userId, ...pending })
        .onConflict((conflict) => conflict.column('user_id').doUpdateSet(pending))
        .execute();
      return locked;
    });
    if (owner.status === 'ended') return owner;
    const { secret, uri } = enrolmentOf(seed, this.issuer, owner.account.email);
    return { secret, uri, svg: await qrCode.toString(uri, { type: 'svg' }) };
  }

  /** Activates the pending authenticator if the code is correct, and consumes the code. */
  async confirm(
    request: FactorRequest,
    code: string,
  ): Promise<'confirmed' | 'wrong' | 'not_started' | EndedActor> {
    const { actor, client } = request;
    const { userId } = actor.live;
    const owner = await findFactorOwner(this.database, userId);
    if (!owner || !(await this.pendingOf(this.database, userId))) return 'not_started';
    const guess: Guess = { authenticator: 'totp', email: owner.emailCanonical, client };
    if (!(await this.lockout.admit(guess))) return 'wrong';
    return this.database.transaction(async (tx) => {
      const locked = await this.changes.lockOwner(tx, request);
      if (locked.status === 'ended') return locked;
      const { account } = locked;
      const pending = await this.pendingOf(tx, userId);
      if (!pending) return 'not_started';
      const seed = this.seeds.unseal(userId, pending.sealed);
      const step = seed && stepOf(seed, code, pending.now);
      if (step === null) return 'wrong';
      await this.changes.contain(tx, account, request);
      const confirmed = await tx
        .of<FactorsTables>()
        .updateTable('totp_authenticators')
        .set({
          seed: pending.sealed,
          pending_seed: null,
          pending_at: null,
          confirmed_at: NOW,
          last_step: step,
        })
        .where('user_id', '=', userId)
        .where('pending_seed', '=', pending.sealed)
        .returning('user_id')
        .execute();
      if (confirmed.length === 0) throw new Error('the pending seed changed under the lock');
      await this.changes.noteFactor(tx, request, ['otp']);
      await this.lockout.succeed(tx, guess);
      await this.changes.tell(tx, request, account.email, {
        audit: 'totp_added',
        mail: 'factor_added',
        params: { factor: 'totp' },
      });
      return 'confirmed';
    });
  }

  /** Removes the authenticator. */
  async remove(request: FactorRequest): Promise<'removed' | 'not_found' | EndedActor> {
    const { userId } = request.actor.live;
    return this.database.transaction(async (tx) => {
      const owner = await this.changes.lockOwner(tx, request);
      if (owner.status === 'ended') return owner;
      const { account } = owner;
      const tables = tx.of<FactorsTables>();
      const existing = await tables
        .selectFrom('totp_authenticators')
        .select('user_id')
        .where('user_id', '=', userId)
        .where('confirmed_at', 'is not', null)
        .executeTakeFirst();
      if (!existing) return 'not_found';
      await this.changes.contain(tx, account, request);
      await tables.deleteFrom('totp_authenticators').where('user_id', '=', userId).execute();
      await removeStrandedRecoveryCodes(tx, userId, this.factors);
      await this.changes.tell(tx, request, account.email, {
        audit: 'totp_removed',
        mail: 'factor_removed',
        params: { factor: 'totp' },
      });
      return 'removed';
    });
  }

  /** The pending seed, and the time by the database's clock, in seconds. */
  private async pendingOf(
    queries: Queries,
    userId: string,
  ): Promise<{ readonly sealed: Buffer; readonly now: number } | null> {
    const pending = await queries
      .of<FactorsTables>()
      .selectFrom('totp_authenticators')
      .select((row) => [
        row.ref('pending_seed').$notNull().as('sealed'),
        sql<number>`extract(epoch from clock_timestamp())::float8`.as('now'),
      ])
      .where('user_id', '=', userId)
      .where('pending_at', '>', secondsAgo(PENDING_TTL))
      .executeTakeFirst();
    return pending ?? null;
  }
}
