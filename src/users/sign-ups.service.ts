import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Audit } from '../audit/audit.service.js';
import { Database, type Queries } from '../database/database.js';
import type { Client } from '../http/client.decorator.js';
import { Outbox } from '../mail/outbox.service.js';
import { Unavailable } from '../problems/overload.js';
import { requireCanonical } from './email.js';
import { OneTimeTokens } from './one-time-tokens/one-time-tokens.service.js';
import { PasswordHasher } from './passwords/password-hasher.service.js';
import { PasswordPolicy, type WeakPassword } from './passwords/password-policy.service.js';

export type SignupOutcome =
  /** `id` stands for nothing where the address was taken and nobody may see that. */
  | { readonly status: 'created'; readonly id: string }
  | { readonly status: 'weak_password'; readonly weak: WeakPassword }
  | { readonly status: 'email_taken' };

interface Newcomer {
  readonly email: string;
  readonly passwordHash: string;
  readonly client: Client;
}

interface Holder {
  id: string;
  email: string;
  is_verified: boolean;
}

const NONCE_BYTES = 32;

/** Making accounts. */
@Injectable()
export class SignUps {
  constructor(
    private readonly database: Database,
    private readonly hasher: PasswordHasher,
    private readonly policy: PasswordPolicy,
    private readonly tokens: OneTimeTokens,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /**
   * Makes an account, and mails a link that proves its address. The database decides whether the address is free, so that
   * of several at once one wins. Where addresses must be proved, a taken one gets the same answer at the same cost; only
   * the mail differs.
   *
   * @param email an address that `canonicalEmail` takes; it is kept as given.
   * @throws Overloaded, BreachCheckUnavailable
   */
  async signUp(email: string, password: string, client: Client): Promise<SignupOutcome> {
    const weak = await this.policy.assess(password, email);
    if (weak) return { status: 'weak_password', weak };
    const newcomer = { email, passwordHash: await this.hasher.hash(password), client };
    return this.database.transaction((tx) => this.take(tx, newcomer));
  }

  /** As many statements whether the address is free or taken, and by whom. */
  private async take(tx: Queries, { email, passwordHash, client }: Newcomer): Promise<SignupOutcome> {
    const id = uuidv7();
    const canonical = requireCanonical(email);
    await tx.query(
      sql`insert into users (id, email, email_canonical, password_hash)
          values (${id}, ${email}, ${canonical}, ${passwordHash}) on conflict (email_canonical) do nothing`,
    );
    const [holder] = await tx.query(
      sql<Holder>`select id, email, email_verified_at is not null as is_verified from users
        where email_canonical = ${canonical}`,
    );
    if (!holder) throw new Unavailable('the account was deleted meanwhile');
    const nonce = randomBytes(NONCE_BYTES);
    // Who gets the mail may tell a sign-up of their own by it.
    const params = { ip: client.ip, user_agent: client.userAgent ?? '' };
    const mail = { userId: holder.id, recipient: holder.email, nonce, params };
    if (holder.id === id) {
      await this.audit.record({ kind: 'signup', userId: id, client }, tx);
      await this.outbox.add(tx, { ...mail, kind: 'verify_email' });
      return { status: 'created', id };
    }
    if (!this.config.AUTH_REQUIRE_VERIFIED_EMAIL) return { status: 'email_taken' };
    if (holder.is_verified) {
      await this.audit.record({ kind: 'signup_repeated', userId: holder.id, client }, tx);
      await this.outbox.add(tx, { ...mail, kind: 'signup_attempt' });
    } else {
      // Nobody has proved to own it: each who signed up gets the password that they chose, by the link that they were sent.
      await this.tokens.mint(
        tx,
        { kind: 'verify_email', nonce },
        { purpose: 'verify_email', userId: holder.id, email: holder.email, passwordHash },
      );
      await this.outbox.add(tx, { ...mail, kind: 'verify_email', params: { ...params, password: 'waits' } });
    }
    return { status: 'created', id };
  }
}
