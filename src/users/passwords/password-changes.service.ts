import { Injectable } from '@nestjs/common';
import type { Queries } from '../../platform/database/database.js';
import { setPasswordHash } from '../user-writes.js';
import { UsersService } from '../users.service.js';
import { PasswordHasher } from './password-hasher.service.js';
import { PasswordPolicy, type WeakPassword } from './password-policy.service.js';

/** The hash of an accepted new password, or the reason for its refusal. */
export type PreparedPassword = { readonly hash: string } | { readonly weak: WeakPassword };

const UNCHANGED: WeakPassword = {
  reasons: [{ reason: 'unchanged', detail: (texts) => texts.weakPassword.unchanged }],
};

/** New passwords of existing accounts. */
@Injectable()
export class PasswordChanges {
  constructor(
    private readonly users: UsersService,
    private readonly hasher: PasswordHasher,
    private readonly policy: PasswordPolicy,
  ) {}

  /**
   * Checks and hashes a new password, outside the transaction that stores it, because hashing takes long.
   *
   * @throws Overloaded, BreachCheckUnavailable
   */
  async prepare(email: string, password: string): Promise<PreparedPassword> {
    const weak = await this.policy.assess(password, email);
    if (weak) return { weak };
    // A user who changes a compromised password must not keep it. This costs a hash: last, and not for a password that
    // is refused anyway.
    if (await this.users.verifyPassword(email, password)) return { weak: UNCHANGED };
    return { hash: await this.hasher.hash(password) };
  }

  /** Stores a prepared password for an account that the transaction has locked. Removes the mark "compromised". */
  async store(tx: Queries, userId: string, hash: string): Promise<void> {
    await setPasswordHash(tx, userId, hash);
  }
}
