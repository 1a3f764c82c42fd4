import { randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Audit } from '../audit/audit.service.js';
import { Database, type Queries } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import { Outbox } from '../mail/outbox.service.js';
import { Unavailable } from '../platform/problems/overload.js';
import { DEFAULT_LANGUAGE } from '../texts/language.js';
import { requireCanonical } from './email.js';
import { OneTimeTokens } from './one-time-tokens/one-time-tokens.service.js';
import { PasswordHasher } from './passwords/password-hasher.service.js';
import { PasswordPolicy, type WeakPassword } from './passwords/password-policy.service.js';
import { insertUser } from './user-writes.js';
import type { UsersTables } from './users.tables.js';

export type SignupOutcome =
  /** `id` is meaningless if the address was taken and the caller must not see that. */
  | { readonly status: 'created'; readonly id: string }
  | { readonly status: 'weak_password'; readonly weak: WeakPassword }
  | { readonly status: 'email_taken' };

interface Newcomer {
  readonly email: string;
  readonly passwordHash: string;
  readonly client: Client;
}

const NONCE_BYTES = 32;

/** Creates accounts. */
@Injectable()
export class SignUp {
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
   * Creates an account and mails a link that verifies its address. The database decides whether the address is free,
   * so that one of several concurrent sign-ups succeeds. If addresses must be verified, a taken one gets the same
   * answer at the same cost; only the mail differs.
   *
   * @param email an address that `canonicalEmail` accepts; it is stored as given.
   * @throws Overloaded, BreachCheckUnavailable
   */
  async signUp(email: string, password: string, client: Client): Promise<SignupOutcome> {
    const weak = await this.policy.assess(password, email);
    if (weak) return { status: 'weak_password', weak };
    const newcomer = { email, passwordHash: await this.hasher.hash(password), client };
    return this.database.transaction((tx) => this.take(tx, newcomer));
  }

  /** The same number of statements whether the address is free or taken, by any account. */
  private async take(tx: Queries, { email, passwordHash, client }: Newcomer): Promise<SignupOutcome> {
    const id = uuidv7();
    const { language } = client;
    await insertUser(tx, {
      id,
      email,
      passwordHash,
      isEmailVerified: false,
      ...(language !== undefined && { language }),
    });
    const [holder] = await tx
      .of<UsersTables>()
      .selectFrom('users')
      .select((user) => ['id', 'email', user('email_verified_at', 'is not', null).as('is_verified')])
      .where('email_canonical', '=', requireCanonical(email))
      .execute();
    if (!holder) throw new Unavailable('the account was deleted concurrently');
    const nonce = randomBytes(NONCE_BYTES);
    // The recipient can recognise an own sign-up by these.
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
      // No owner is proved: each sign-up gets its own password, with the link that was sent for it.
      await this.tokens.mint(
        tx,
        { kind: 'verify_email', nonce },
        { purpose: 'verify_email', userId: holder.id, email: holder.email, passwordHash },
      );
      const own = { ...params, password: 'waits', language: language ?? DEFAULT_LANGUAGE };
      await this.outbox.add(tx, { ...mail, kind: 'verify_email', params: own });
    }
    return { status: 'created', id };
  }
}
