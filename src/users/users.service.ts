import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Audit } from '../audit/audit.service.js';
import { Database, type Queries } from '../database/database.js';
import type { Client } from '../http/client.decorator.js';
import { canonicalEmail } from './email.js';
import { PasswordHasher } from './passwords/password-hasher.service.js';
import { User } from './user.entity.js';

/** An account as its owner sees it. */
export type Account = Pick<User, 'id' | 'email' | 'name' | 'role' | 'emailVerifiedAt' | 'createdAt'>;

/** What people say of themselves. */
export interface ProfileChange {
  readonly name: string | null;
}

/** Somebody who proved the password that `passwordHash` stood for at that moment, whether they may sign in or not. */
export interface VerifiedUser {
  readonly id: string;
  readonly email: string;
  readonly passwordHash: string;
  readonly isEmailVerified: boolean;
  readonly isDisabled: boolean;
  /** Whether the password counts as known to others, and must be changed before anything else. */
  readonly isPasswordCompromised: boolean;
}

/** Who people are, and what proves it. */
@Injectable()
export class UsersService {
  constructor(
    private readonly database: Database,
    private readonly hasher: PasswordHasher,
    private readonly audit: Audit,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Who has this address and this password; null for nobody, which takes as long. Renews the hash when it was made
   * with other parameters than today's.
   *
   * @param evaluate `no` for a guess that was not admitted: it costs as much, and is wrong.
   * @throws Overloaded
   */
  async verifyPassword(
    email: string,
    password: string,
    evaluate: 'yes' | 'no' = 'yes',
  ): Promise<VerifiedUser | null> {
    const emailCanonical = canonicalEmail(email);
    const user =
      emailCanonical === null
        ? null
        : await this.database.em.findOne(User, { emailCanonical }, { populate: ['passwordHash'] });
    const hash = evaluate === 'yes' ? user?.passwordHash : null;
    const isRefused = user !== null && this.isRefused(user);
    const matches = await this.hasher.verify(hash ?? null, password, isRefused ? 'held' : 'at_once');
    if (!user?.passwordHash || !matches) return null;
    return {
      id: user.id,
      email: user.email,
      // Whoever is refused all the same gets the answer of a wrong password, and so it costs no second hash.
      passwordHash: isRefused
        ? user.passwordHash
        : await this.renewHash(user.id, user.passwordHash, password),
      isEmailVerified: Boolean(user.emailVerifiedAt),
      isDisabled: Boolean(user.disabledAt),
      isPasswordCompromised: Boolean(user.passwordCompromisedAt),
    };
  }

  /**
   * Locks an account until the transaction ends, so that it stays as it is: whatever changes a password, disables or
   * deletes takes the same lock.
   *
   * @param passwordHash the password that was verified; null where something else was.
   * @param use what the password is good for: one that is marked as compromised is still good to be changed.
   * @returns false if there is none, it is disabled, or its password is another one by now, or opens nothing any more.
   */
  async lockForProof(
    tx: Queries,
    id: string,
    passwordHash: string | null,
    use: 'sign_in' | 'change_password',
  ): Promise<boolean> {
    const rows = await tx.query(
      sql`select 1 from users where id = ${id} and disabled_at is null and (${passwordHash}::text is null
            or (password_hash = ${passwordHash}::text and (password_compromised_at is null or ${use} = 'change_password')))
          for no key update`,
    );
    return rows.length === 1;
  }

  /** The account with this id; null if there is none. */
  async find(id: string): Promise<Account | null> {
    return this.database.em.findOne(User, { id });
  }

  /** Changes what a person says of themselves; null if there is no such account. */
  async changeProfile(id: string, { name }: ProfileChange, client: Client): Promise<Account | null> {
    await this.database.transaction(async (tx) => {
      const changed = await tx.query(
        sql`update users set name = ${name}, updated_at = now() where id = ${id} returning 1`,
      );
      if (changed.length === 0) return;
      await this.audit.record(
        { kind: 'profile_changed', userId: id, client, details: { fields: ['name'] } },
        tx,
      );
    });
    return this.find(id);
  }

  /** Whether the account may not be signed in to, whatever proves whose it is. */
  private isRefused({ disabledAt, emailVerifiedAt }: Pick<User, 'disabledAt' | 'emailVerifiedAt'>): boolean {
    return Boolean(disabledAt) || (this.config.AUTH_REQUIRE_VERIFIED_EMAIL && !emailVerifiedAt);
  }

  /** @returns the hash that the account has now, as far as we know. */
  private async renewHash(id: string, current: string, password: string): Promise<string> {
    if (!this.hasher.needsRehash(current)) return current;
    const passwordHash = await this.hasher.hash(password);
    // Compare and swap: a password that was changed meanwhile stays changed.
    const renewed = await this.database.em.nativeUpdate(
      User,
      { id, passwordHash: current },
      { passwordHash },
    );
    return renewed === 1 ? passwordHash : this.renewedMeanwhile(id, current, password);
  }

  /** Another sign-in may have renewed the hash of the same password first: then it is that one. */
  private async renewedMeanwhile(id: string, current: string, password: string): Promise<string> {
    const [user] = await this.database.query(
      sql<{ password_hash: string | null }>`select password_hash from users where id = ${id}`,
    );
    const hash = user?.password_hash ?? null;
    return hash !== null && (await this.hasher.verify(hash, password)) ? hash : current;
  }
}
