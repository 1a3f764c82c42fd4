import { UniqueConstraintViolationException } from '@mikro-orm/core';
import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Queries } from '../database/database.js';
import { canonicalEmail } from './email.js';
import { PasswordHasher } from './passwords/password-hasher.service.js';
import { PasswordPolicy, type PasswordWeakness } from './passwords/password-policy.service.js';
import { User } from './user.entity.js';

export type SignupOutcome =
  | { readonly status: 'created'; readonly id: string }
  | { readonly status: 'weak_password'; readonly reason: PasswordWeakness }
  | { readonly status: 'email_taken' };

/** Somebody who proved the password that `passwordHash` stood for at that moment. */
export interface VerifiedUser {
  readonly id: string;
  readonly email: string;
  readonly passwordHash: string;
}

/** Who people are, and what proves it. */
@Injectable()
export class UsersService {
  constructor(
    private readonly database: Database,
    private readonly hasher: PasswordHasher,
    private readonly policy: PasswordPolicy,
  ) {}

  /**
   * Makes an account. The database decides whether the address is free, so that of several at once one wins.
   *
   * @param email an address that `canonicalEmail` takes; it is kept as given.
   * @throws Overloaded
   */
  async signUp(email: string, password: string): Promise<SignupOutcome> {
    const reason = this.policy.weaknessOf(password, email);
    if (reason) return { status: 'weak_password', reason };
    const passwordHash = await this.hasher.hash(password);
    const id = uuidv7();
    try {
      await this.database.em.insert(User, {
        id,
        email,
        emailCanonical: requireCanonical(email),
        passwordHash,
      });
      return { status: 'created', id };
    } catch (error) {
      if (error instanceof UniqueConstraintViolationException) return { status: 'email_taken' };
      throw error;
    }
  }

  /**
   * Who has this address and this password; null for nobody, which takes as long. Renews the hash when it was made
   * with other parameters than today's.
   *
   * @throws Overloaded
   */
  async verifyPassword(email: string, password: string): Promise<VerifiedUser | null> {
    const emailCanonical = canonicalEmail(email);
    const user =
      emailCanonical === null
        ? null
        : await this.database.em.findOne(User, { emailCanonical }, { populate: ['passwordHash'] });
    const matches = await this.hasher.verify(user?.passwordHash ?? null, password);
    if (!user || !matches) return null;
    return { id: user.id, email: user.email, passwordHash: await this.renewHash(user, password) };
  }

  /** Locks an account until the transaction ends; false if its password is no longer the one that was verified. */
  async lockUnchanged(tx: Queries, user: VerifiedUser): Promise<boolean> {
    const rows = await tx.query(
      sql`select 1 from users where id = ${user.id} and password_hash = ${user.passwordHash} for no key update`,
    );
    return rows.length === 1;
  }

  /** The account with this id; null if there is none. */
  async find(id: string): Promise<Pick<User, 'id' | 'email' | 'createdAt'> | null> {
    return this.database.em.findOne(User, { id });
  }

  /** The sentence for a weakness that `signUp` found. */
  explainWeakness(reason: PasswordWeakness): string {
    return this.policy.explain(reason);
  }

  /** @returns the hash that the account has now, as far as we know. */
  private async renewHash(user: User, password: string): Promise<string> {
    if (!this.hasher.needsRehash(user.passwordHash)) return user.passwordHash;
    const passwordHash = await this.hasher.hash(password);
    // Compare and swap: a password that was changed meanwhile stays changed.
    const renewed = await this.database.em.nativeUpdate(
      User,
      { id: user.id, passwordHash: user.passwordHash },
      { passwordHash },
    );
    return renewed === 1 ? passwordHash : user.passwordHash;
  }
}

function requireCanonical(email: string): string {
  const canonical = canonicalEmail(email);
  if (canonical === null) throw new TypeError('the address was not checked before');
  return canonical;
}
