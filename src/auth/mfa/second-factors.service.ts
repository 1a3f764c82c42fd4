import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Database, type Queries } from '../../database/database.js';

/** What can complete a sign-in with a password. */
export type SecondFactor = 'totp' | 'passkey' | 'recovery_code';

/** Which second factors people have. */
@Injectable()
export class SecondFactors {
  constructor(private readonly database: Database) {}

  /**
   * The factors that a sign-in with a password needs one of; none if the person has no authenticator besides. Recovery
   * codes alone make no second factor: they stand in for one.
   */
  async of(userId: string, queries: Queries = this.database): Promise<SecondFactor[]> {
    const [row] = await queries.query(
      sql<{ totp: boolean; passkey: boolean; recovery_code: boolean }>`select
          exists (select 1 from totp_authenticators where user_id = ${userId} and confirmed_at is not null) as totp,
          exists (select 1 from passkeys where user_id = ${userId}) as passkey,
          exists (select 1 from recovery_codes where user_id = ${userId}) as recovery_code`,
    );
    if (!row || (!row.totp && !row.passkey)) return [];
    return (['totp', 'passkey', 'recovery_code'] as const).filter((factor) => row[factor]);
  }

  /** Whether a person has an authenticator besides the password. */
  async has(userId: string, queries: Queries = this.database): Promise<boolean> {
    return (await this.of(userId, queries)).length > 0;
  }

  /**
   * Takes away the recovery codes of somebody who has no second factor left that they could stand in for. Belongs in the
   * transaction that removes a factor, behind the lock on the account's row.
   */
  async dropStrandedRecoveryCodes(tx: Queries, userId: string): Promise<void> {
    if (await this.has(userId, tx)) return;
    await tx.query(sql`delete from recovery_codes where user_id = ${userId}`);
  }
}
