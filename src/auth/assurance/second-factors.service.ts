import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Database, type Queries } from '../../platform/database/database.js';

/** Factors that can complete a password sign-in. */
export type SecondFactor = 'totp' | 'passkey' | 'recovery_code';

/** Which second factors users have. */
@Injectable()
export class SecondFactors {
  constructor(private readonly database: Database) {}

  /**
   * The factors of which a password sign-in requires one; empty if the user has no other authenticator. Recovery
   * codes alone are not a second factor: they replace one. A passkey that a browser registered without a prompt counts
   * after its first use: its owner may not know of it.
   */
  async of(userId: string, queries: Queries = this.database): Promise<SecondFactor[]> {
    const [row] = await queries.query(
      sql<Record<SecondFactor, boolean>>`select
          exists (select 1 from totp_authenticators where user_id = ${userId} and confirmed_at is not null) as totp,
          exists (select 1 from passkeys where user_id = ${userId}
            and (not is_conditional or last_used_at is not null)) as passkey,
          exists (select 1 from recovery_codes where user_id = ${userId}) as recovery_code`,
    );
    if (!row || (!row.totp && !row.passkey)) return [];
    return (['totp', 'passkey', 'recovery_code'] as const).filter((factor) => row[factor]);
  }

  /** Whether a user has an authenticator besides the password. */
  async has(userId: string, queries: Queries = this.database): Promise<boolean> {
    return (await this.of(userId, queries)).length > 0;
  }
}
