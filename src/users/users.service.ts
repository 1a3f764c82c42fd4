import { Inject, Injectable } from '@nestjs/common';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import type { Columns } from '../platform/database/columns.js';
import { Database } from '../platform/database/database.js';
import type { Role } from '../platform/http/access.decorators.js';
import { canonicalEmail } from './email.js';
import { PasswordHasher } from './passwords/password-hasher.service.js';
import type { UsersTables } from './users.tables.js';

/** An account as its owner sees it. */
export interface Account {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  /** The language of mails; null if none was chosen. */
  readonly language: string | null;
  readonly role: Role;
  readonly emailVerifiedAt: Date | null;
  readonly createdAt: Date;
}

/** A user who proved the password of `passwordHash`, whether allowed to sign in or not. */
export interface VerifiedUser {
  readonly id: string;
  readonly email: string;
  readonly passwordHash: string;
  readonly isEmailVerified: boolean;
  readonly isDisabled: boolean;
  /** Whether the password is known to be compromised and must be changed first. */
  readonly isPasswordCompromised: boolean;
}

/** The columns that `verifyPassword` reads. */
const CREDENTIAL_COLUMNS = [
  'id',
  'email',
  'password_hash',
  'email_verified_at',
  'disabled_at',
  'password_compromised_at',
] as const;

/** Users and their passwords. */
@Injectable()
export class UsersService {
  constructor(
    private readonly database: Database,
    private readonly hasher: PasswordHasher,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Returns the user if e-mail and password match, else null. Constant time: one hash is computed in both cases.
   * Renews a hash that was made with other parameters than configured.
   *
   * @param evaluate `no` for a guess that was not admitted: same cost, negative result.
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
        : await this.database
            .of<UsersTables>()
            .selectFrom('users')
            .select(CREDENTIAL_COLUMNS)
            .where('email_canonical', '=', emailCanonical)
            .executeTakeFirst();
    const hash = evaluate === 'yes' ? user?.password_hash : null;
    const isRefused = user ? this.isRefused(user) : false;
    const matches = await this.hasher.verify(hash ?? null, password, isRefused ? 'held' : 'at_once');
    if (!user?.password_hash || !matches) return null;
    return {
      id: user.id,
      email: user.email,
      // A refused user gets the answer of a wrong password, so the renewal must not cost a second hash.
      passwordHash: isRefused
        ? user.password_hash
        : await this.renewHash(user.id, user.password_hash, password),
      isEmailVerified: user.email_verified_at !== null,
      isDisabled: user.disabled_at !== null,
      isPasswordCompromised: user.password_compromised_at !== null,
    };
  }

  /** The account with this id; null if it does not exist. */
  async find(id: string): Promise<Account | null> {
    const user = await this.database
      .of<UsersTables>()
      .selectFrom('users')
      .select([
        'id',
        'email',
        'name',
        'language',
        'role',
        'email_verified_at as emailVerifiedAt',
        'created_at as createdAt',
      ])
      .where('id', '=', id)
      .executeTakeFirst();
    return user ?? null;
  }

  /** Whether the account is refused at sign-in, with any credential. */
  private isRefused(user: Columns<UsersTables, 'users', 'disabled_at' | 'email_verified_at'>): boolean {
    if (user.disabled_at !== null) return true;
    return this.config.AUTH_REQUIRE_VERIFIED_EMAIL && user.email_verified_at === null;
  }

  /** @returns the current hash of the account, as far as known. */
  private async renewHash(id: string, current: string, password: string): Promise<string> {
    if (!this.hasher.needsRehash(current)) return current;
    const passwordHash = await this.hasher.hash(password);
    // Compare and swap: a concurrent change of the password is kept.
    const renewed = await this.database
      .of<UsersTables>()
      .updateTable('users')
      .set({ password_hash: passwordHash })
      .where('id', '=', id)
      .where('password_hash', '=', current)
      .returning('id')
      .execute();
    return renewed.length === 1 ? passwordHash : this.renewedMeanwhile(id, current, password);
  }

  /** A concurrent sign-in may have renewed the hash of the same password first: then use its hash. */
  private async renewedMeanwhile(id: string, current: string, password: string): Promise<string> {
    const user = await this.database
      .of<UsersTables>()
      .selectFrom('users')
      .select('password_hash')
      .where('id', '=', id)
      .executeTakeFirst();
    const hash = user?.password_hash ?? null;
    return hash !== null && (await this.hasher.verify(hash, password)) ? hash : current;
  }
}
