import { createHash, createHmac } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import type { Columns } from '../../platform/database/columns.js';
import { Database, type Queries } from '../../platform/database/database.js';
import { NOW, secondsFromNow } from '../../platform/database/sql-time.js';
import { purposeKey } from '../../platform/secrets/secrets.js';
import { ExpiredRows } from '../../platform/retention/expired-rows.js';
import type { UsersTables } from '../users.tables.js';
import { type MailedToken, mailedTokenOf, tokenMeantBy } from './mail-code.js';
import type { TokenPurpose } from './one-time-token.entity.js';

/** What a token permits: once, for one user and one address. */
export interface Grant {
  readonly purpose: TokenPurpose;
  readonly userId: string;
  /** The address that it is sent to and proves. */
  readonly email: string;
  /** The password that it activates; none by default. */
  readonly passwordHash?: string | null;
  /** The session that requested it; none by default. */
  readonly sessionId?: string | null;
}

/** The mail that carries a token. */
export interface TokenMail {
  readonly kind: string;
  readonly nonce: Buffer;
}

const FORM = /^trf_ot_[A-Za-z0-9_-]{43}$/;

/**
 * Seconds. NIST SP 800-63B-4 §4.2.1.2 allows a day; a user who requests a password reset reads the mail immediately.
 */
export const TOKEN_TTL: Readonly<Record<TokenPurpose, number>> = {
  verify_email: 86_400,
  change_email: 86_400,
  reset_password: 3_600,
};

/** Expired tokens. */
export const expiredOneTimeTokens = () =>
  new ExpiredRows<UsersTables>({
    table: 'one_time_tokens',
    key: ['token_hash'],
    by: 'expires_at',
    isOver: sql`expires_at < now()`,
  });

type Row = Columns<
  UsersTables,
  'one_time_tokens',
  'purpose' | 'user_id' | 'email' | 'password_hash' | 'session_id'
>;

/**
 * Single-use tokens that prove control of a mailbox. None is stored: each is derived from the random bytes of its
 * mail, identically for every attempt to send it, and only its SHA-256 is stored.
 */
@Injectable()
export class OneTimeTokens {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** Creates the token of a mail, valid from now on. */
  async mint(tx: Queries, mail: TokenMail, grant: Grant): Promise<MailedToken> {
    const { purpose, userId, email, passwordHash = null, sessionId = null } = grant;
    const [secret = ''] = this.config.AUTH_SECRETS;
    const minted = derive(secret, mail);
    await tx
      .of<UsersTables>()
      .insertInto('one_time_tokens')
      .values({
        token_hash: hash(minted.token),
        purpose,
        user_id: userId,
        email,
        password_hash: passwordHash,
        session_id: sessionId,
        expires_at: secondsFromNow(TOKEN_TTL[purpose]),
      })
      .execute();
    return minted;
  }

  /** The token of a mail, if it was created before, under any secret, and is still valid; else null. */
  async find(tx: Queries, mail: TokenMail): Promise<MailedToken | null> {
    const tokens = this.config.AUTH_SECRETS.flatMap((secret) => [
      derive(secret, mail),
      deriveAsBefore(secret, mail),
    ]);
    const rows = await tx
      .of<UsersTables>()
      .selectFrom('one_time_tokens')
      .select('token_hash')
      .where(
        'token_hash',
        'in',
        tokens.map(({ token }) => hash(token)),
      )
      .where('expires_at', '>', NOW)
      .execute();
    return tokens.find(({ token }) => rows.some((row) => hash(token).equals(row.token_hash))) ?? null;
  }

  /**
   * The grant of a token, without consuming it; null if it is not valid: unknown, used, expired, its account
   * disabled, or sent to an address that the account no longer has.
   *
   * @param text the token, or its code.
   */
  async look(text: string): Promise<Grant | null> {
    const token = tokenMeantBy(text);
    if (!FORM.test(token)) return null;
    const [row] = await this.database.query(
      sql<Row>`select t.purpose, t.user_id, t.email, t.password_hash, t.session_id
        from one_time_tokens t join users u on u.id = t.user_id
        where t.token_hash = ${hash(token)} and ${IS_GOOD}`,
    );
    return row ? read(row) : null;
  }

  /**
   * Consumes a token in one statement; null if it is not valid any more. The transaction has locked the account.
   *
   * @param text the token, or its code.
   */
  async consume(tx: Queries, text: string, purpose: TokenPurpose): Promise<Grant | null> {
    const [row] = await tx.query(
      sql<Row>`delete from one_time_tokens t using users u
        where t.token_hash = ${hash(tokenMeantBy(text))} and t.purpose = ${purpose} and u.id = t.user_id and ${IS_GOOD}
        returning t.purpose, t.user_id, t.email, t.password_hash, t.session_id`,
    );
    return row ? read(row) : null;
  }
}

/** A password that was set before the address was proved becomes active with the proof, and never later. */
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

function derive(secret: string, { kind, nonce }: TokenMail): MailedToken {
  const key = purposeKey(secret, 'one-time-code');
  return mailedTokenOf(createHmac('sha256', key).update(nonce).update(kind).digest());
}

/** The token of a mail that a node of 0.2 composed and could not send. */
function deriveAsBefore(secret: string, { kind, nonce }: TokenMail): MailedToken {
  const key = purposeKey(secret, 'one-time-token');
  const token = `trf_ot_${createHmac('sha256', key).update(nonce).update(kind).digest('base64url')}`;
  return { token, code: null };
}

function hash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
