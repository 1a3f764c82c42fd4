import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Database } from '../platform/database/database.js';
import type { SignInMethodsReply } from './account.dto.js';

/** How a user can sign in. */
@Injectable()
export class SignInMethods {
  constructor(private readonly database: Database) {}

  /** @returns null if the account does not exist. */
  async of(userId: string): Promise<SignInMethodsReply | null> {
    const [row] = await this.database.query(
      sql<SignInMethodsReply>`select u.password_hash is not null as password,
          (select count(*)::int from passkeys p where p.user_id = u.id and p.key_flaw is null) as passkeys,
          exists (select from totp_authenticators t where t.user_id = u.id and t.confirmed_at is not null) as totp,
          (select count(*)::int from recovery_codes c where c.user_id = u.id) as recovery_codes_left,
          (select o.email from one_time_tokens o where o.user_id = u.id and o.purpose = 'change_email'
            and o.expires_at > now() order by o.created_at desc limit 1) as pending_email
        from users u where u.id = ${userId}`,
    );
    return row ?? null;
  }
}
