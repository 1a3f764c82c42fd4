import { createHash, createHmac } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database, type Queries } from '../../database/database.js';
import { purposeKey } from '../../secrets/secrets.js';
import { OldRows } from '../../sweep/old-rows.js';

/** What a token that went out by mail is good for. */
export type TokenPurpose = 'verify_email' | 'change_email' | 'reset_password';

/** What somebody may do who shows a token: once, for one person, and one address. */
export interface Grant {
  readonly purpose: TokenPurpose;
  readonly userId: string;
  /** The address that it is sent to, and proves. */
  readonly email: string;
  /** The password that comes into force with it; none by default. */
  readonly passwordHash?: string | null;
  /** The session in which it was asked for; none by default. */
  readonly sessionId?: string | null;
}

/** The mail that a token goes out with. */
export interface TokenMail {
  readonly kind: string;
  readonly nonce: Buffer;
}

const PREFIX = 'trf_ot_';
const FORM = /^trf_ot_[A-Za-z0-9_-]{43}$/;

/** Seconds. NIST SP 800-63B-4 §4.2.1.2 allows a day; who asks for another password reads the mail at once. */
export const TOKEN_TTL: Readonly<Record<TokenPurpose, number>> = {
  verify_email: 86_400,
  change_email: 86_400,
  reset_password: 3_600,
};

/** Those that ran out. */
export const oldOneTimeTokens = () =>
  new OldRows({
    table: 'one_time_tokens',
    key: ['token_hash'],
    by: 'expires_at',
    isOver: sql`expires_at < now()`,
  });

interface Row {
  purpose: TokenPurpose;
  user_id: string;
  email: string;
  password_hash: string | null;
  session_id: string | null;
}

/**
 * Tokens that prove, once, that somebody reads the mail of an address. None is stored: each is derived from the random
 * bytes of the mail that carries it, the same whenever that is composed, and kept as SHA-256.
 */
@Injectable()
export class OneTimeTokens {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** Makes the token of a mail, good from now on. */
  async mint(tx: Queries, mail: TokenMail, grant: Grant): Promise<string> {
    const { purpose, userId, email, passwordHash = null, sessionId = null } = grant;
    const [secret = ''] = this.config.AUTH_SECRETS;
    const token = derive(secret, mail);
    await tx.query(
      sql`insert into one_time_tokens (token_hash, purpose, user_id, email, password_hash, session_id, expires_at)
          values (${hash(token)}, ${purpose}, ${userId}, ${email}, ${passwordHash}, ${sessionId},
            now() + make_interval(secs => ${TOKEN_TTL[purpose]}))`,
    );
    return token;
  }

  /** The token of a mail, if it was made before, under whichever secret, and is still good; null if not. */
  async find(tx: Queries, mail: TokenMail): Promise<string | null> {
    const tokens = this.config.AUTH_SECRETS.map((secret) => derive(secret, mail));
    const rows = await tx.query(
      sql<{ token_hash: Buffer }>`select token_hash from one_time_tokens
        where token_hash = any(${tokens.map(hash)}::bytea[]) and expires_at > now()`,
    );
    return tokens.find((token) => rows.some((row) => hash(token).equals(row.token_hash))) ?? null;
  }

  /**
   * What a token is good for, without using it; null if it is not good: unknown, used, run out, its account disabled, or
   * meant for an address that the account does not have any more.
   */
  async look(token: string): Promise<Grant | null> {
    if (!FORM.test(token)) return null;
    const [row] = await this.database.query(
      sql<Row>`select t.purpose, t.user_id, t.email, t.password_hash, t.session_id
        from one_time_tokens t join users u on u.id = t.user_id
        where t.token_hash = ${hash(token)} and ${IS_GOOD}`,
    );
    return row ? read(row) : null;
  }

  /** Uses a token up, in one statement; null if it is not good any more. The transaction has locked the account. */
  async consume(tx: Queries, token: string, purpose: TokenPurpose): Promise<Grant | null> {
    const [row] = await tx.query(
      sql<Row>`delete from one_time_tokens t using users u
        where t.token_hash = ${hash(token)} and t.purpose = ${purpose} and u.id = t.user_id and ${IS_GOOD}
        returning t.purpose, t.user_id, t.email, t.password_hash, t.session_id`,
    );
    return row ? read(row) : null;
  }

  /** Takes back the tokens of a person for a purpose, or all. */
  async takeBack(tx: Queries, userId: string, purpose: TokenPurpose | 'any'): Promise<void> {
    await tx.query(
      sql`delete from one_time_tokens where user_id = ${userId} and (${purpose} = 'any' or purpose = ${purpose})`,
    );
  }
}

/** A password that came before the address was proved comes into force with the proof, and never later. */
const IS_GOOD = sql`t.expires_at > now() and u.disabled_at is null
  and (t.purpose = 'change_email' or t.email = u.email)
  and (t.password_hash is null or u.email_verified_at is null)`;

function read(row: Row): Grant {
  return {
    purpose: row.purpose,
    userId: row.user_id,
    email: row.email,
    passwordHash: row.password_hash,
    sessionId: row.session_id,
  };
}

function derive(secret: string, { kind, nonce }: TokenMail): string {
  const key = purposeKey(secret, 'one-time-token');
  return `${PREFIX}${createHmac('sha256', key).update(nonce).update(kind).digest('base64url')}`;
}

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
