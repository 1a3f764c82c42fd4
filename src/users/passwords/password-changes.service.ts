import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';
import { UsersService } from '../users.service.js';
import { PasswordHasher } from './password-hasher.service.js';
import { PasswordPolicy, type WeakPassword } from './password-policy.service.js';

/** A new password that may be taken, hashed; or why it may not. */
export type PreparedPassword = { readonly hash: string } | { readonly weak: WeakPassword };

const UNCHANGED: WeakPassword = {
  reason: 'unchanged',
  detail: 'The new password is the one that you have. Choose another one.',
};

/** Another password for an account that exists. */
@Injectable()
export class PasswordChanges {
  constructor(
    private readonly users: UsersService,
    private readonly hasher: PasswordHasher,
    private readonly policy: PasswordPolicy,
  ) {}

  /**
   * Looks whether an account may have a password from now on, and hashes it: outside the transaction that stores it,
   * because it takes long.
   *
   * @throws Overloaded, BreachCheckUnavailable
   */
  async prepare(email: string, password: string): Promise<PreparedPassword> {
    const weak = await this.policy.assess(password, email);
    if (weak) return { weak };
    // Whoever changes it because others know it must not keep it.
    if (await this.users.verifyPassword(email, password)) return { weak: UNCHANGED };
    return { hash: await this.hasher.hash(password) };
  }

  /** Stores a prepared password for an account that the transaction has locked. It counts as known to nobody else. */
  async store(tx: Queries, userId: string, hash: string): Promise<void> {
    await tx.query(
      sql`update users set password_hash = ${hash}, password_compromised_at = null, updated_at = now() where id = ${userId}`,
    );
  }
}
