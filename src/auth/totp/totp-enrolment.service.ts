import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import qrCode from 'qrcode';
import type { AppConfig } from '../../../config/app.config.js';
import { APP_CONFIG } from '../../../config/tokens.config.js';
import { Database, type Queries } from '../../database/database.js';
import type { Guess } from '../lockout/guess.js';
import { Lockout } from '../lockout/lockout.service.js';
import { FactorChanges, type FactorRequest } from '../mfa/factor-changes.service.js';
import { findFactorOwner } from '../mfa/factor-owner.js';
import { SecondFactors } from '../mfa/second-factors.service.js';
import { enrolmentOf, newSeed, stepOf } from './totp-code.js';
import { TotpSeeds } from './totp-seeds.service.js';

/** Seconds within which a new authenticator is to be confirmed. */
const PENDING_TTL = 3600;

/** What an authenticator app needs, for this one time. */
export interface NewAuthenticator {
  /** In base32. */
  readonly secret: string;
  readonly uri: string;
  /** The URI as a QR code. */
  readonly svg: string;
}

/** Adding, replacing and removing an authenticator app. */
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
    // An issuer must not hold a colon: apps split the label there.
    this.issuer = new URL(PUBLIC_URL).hostname.replaceAll(':', '.');
  }

  /**
   * Makes a seed that counts once a code of it came back. Until then the authenticator there is, if any, stays the one.
   *
   * @returns null if the account is gone.
   */
  async begin(userId: string): Promise<NewAuthenticator | null> {
    const owner = await findFactorOwner(this.database, userId);
    if (!owner) return null;
    const seed = newSeed();
    const sealed = this.seeds.seal(userId, seed);
    await this.database.query(
      sql`insert into totp_authenticators (user_id, pending_seed, pending_at) values (${userId}, ${sealed}, now())
          on conflict (user_id) do update set pending_seed = excluded.pending_seed, pending_at = now()`,
    );
    const { secret, uri } = enrolmentOf(seed, this.issuer, owner.email);
    return { secret, uri, svg: await qrCode.toString(uri, { type: 'svg' }) };
  }

  /** Makes the pending authenticator the one, if the code is right. The code is used up. */
  async confirm(
    request: FactorRequest,
    code: string,
  ): Promise<'confirmed' | 'wrong' | 'not_started' | 'session_ended'> {
    const { userId, client } = request;
    const owner = await findFactorOwner(this.database, userId);
    if (!owner || !(await this.pendingOf(this.database, userId))) return 'not_started';
    const guess: Guess = { authenticator: 'totp', email: owner.emailCanonical, client };
    if (!(await this.lockout.admit(guess))) return 'wrong';
    return this.database.transaction(async (tx) => {
      const locked = await this.changes.lockOwner(tx, request);
      if (!locked) return 'session_ended';
      const pending = await this.pendingOf(tx, userId);
      if (!pending) return 'not_started';
      const seed = this.seeds.unseal(userId, pending.sealed);
      const step = seed && stepOf(seed, code, pending.now);
      if (step === null) return 'wrong';
      await this.changes.endOtherSessions(tx, request);
      const confirmed = await tx.query(
        sql`update totp_authenticators set seed = pending_seed, pending_seed = null, pending_at = null, confirmed_at = now(), last_step = ${step}
            where user_id = ${userId} and pending_seed = ${pending.sealed} returning 1`,
      );
      if (confirmed.length === 0) throw new Error('the pending seed changed behind the lock');
      await this.changes.noteFactor(tx, request, ['otp']);
      await this.lockout.succeed(tx, guess);
      await this.changes.tell(tx, request, locked.email, {
        audit: 'totp_added',
        mail: 'factor_added',
        params: { factor: 'totp' },
      });
      return 'confirmed';
    });
  }

  /** Removes the authenticator at once. */
  async remove(request: FactorRequest): Promise<'removed' | 'not_found' | 'session_ended'> {
    const { userId } = request;
    return this.database.transaction(async (tx) => {
      const owner = await this.changes.lockOwner(tx, request);
      if (!owner) return 'session_ended';
      const [existing] = await tx.query(
        sql`select 1 from totp_authenticators where user_id = ${userId} and confirmed_at is not null`,
      );
      if (!existing) return 'not_found';
      await this.changes.endOtherSessions(tx, request);
      await tx.query(sql`delete from totp_authenticators where user_id = ${userId}`);
      await this.factors.dropStrandedRecoveryCodes(tx, userId);
      await this.changes.tell(tx, request, owner.email, {
        audit: 'totp_removed',
        mail: 'factor_removed',
        params: { factor: 'totp' },
      });
      return 'removed';
    });
  }

  /** The seed that waits to be confirmed, and the time by the database's clock, in seconds. */
  private async pendingOf(
    queries: Queries,
    userId: string,
  ): Promise<{ readonly sealed: Buffer; readonly now: number } | null> {
    const [row] = await queries.query(
      sql<{
        pending_seed: Uint8Array;
        now: number;
      }>`select pending_seed, extract(epoch from clock_timestamp())::float8 as now
        from totp_authenticators where user_id = ${userId} and pending_at > now() - make_interval(secs => ${PENDING_TTL})`,
    );
    return row ? { sealed: Buffer.from(row.pending_seed), now: row.now } : null;
  }
}
