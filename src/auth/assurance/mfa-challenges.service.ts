import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import type { Columns } from '../../platform/database/columns.js';
import { Database, type Queries } from '../../platform/database/database.js';
import type { Transport } from '../../platform/http/transport.js';
import { ExpiredRows } from '../../platform/retention/expired-rows.js';
import type { UsersTables } from '../../users/users.tables.js';
import type { AssuranceTables } from './assurance.tables.js';

/** Seconds until the second factor must be presented. */
const CHALLENGE_TTL = 600;
const TOKEN_PREFIX = 'trf_mt_';
const TOKEN_BYTES = 32;

/** Attempts allowed with one token. */
const ATTEMPTS = 5;

/** A sign-in whose first factor was correct. */
export interface HalfSignIn {
  readonly userId: string;
  /** The password hash that was verified. */
  readonly passwordHash: string;
  /** RFC 8176 `amr` values so far. */
  readonly methods: readonly string[];
  readonly transport: Transport;
}

/** A half sign-in that can still be completed. */
export interface OpenChallenge {
  readonly tokenHash: Buffer;
  readonly userId: string;
  /** The address under which guesses are counted. */
  readonly emailCanonical: string;
  readonly passwordHash: string | null;
  readonly methods: readonly string[];
  readonly transport: Transport;
}

type ChallengeRow = Columns<
  AssuranceTables,
  'mfa_challenges',
  'user_id' | 'password_hash' | 'methods' | 'transport'
> &
  Columns<UsersTables, 'users', 'email_canonical'>;

const CHALLENGE_COLUMNS = sql`c.user_id, u.email_canonical, c.password_hash, c.methods, c.transport`;

/** SHA-256 of an `mfa_token`, the key of its challenge. */
export function mfaTokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Expired half sign-ins. */
export const expiredMfaChallenges = () =>
  new ExpiredRows<AssuranceTables>({
    table: 'mfa_challenges',
    key: ['token_hash'],
    by: 'expires_at',
    isOver: sql`expires_at < now()`,
  });

/**
 * Ends half sign-ins: their tokens become invalid.
 *
 * @param userId the account; null for all accounts.
 * @param before ends only those that began before this time; null for all.
 */
export async function revokeHalfSignIns(
  tx: Queries,
  userId: string | null,
  before: Date | null = null,
): Promise<void> {
  await tx.query(
    sql`delete from mfa_challenges where (${userId}::uuid is null or user_id = ${userId}::uuid)
          and (${before}::timestamptz is null or created_at < ${before}::timestamptz)`,
  );
}

/** Half sign-ins. They are no sessions: their token gives access to the factor endpoints only. */
@Injectable()
export class MfaChallenges {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** @returns the `mfa_token`; only its SHA-256 is stored. */
  async begin({ userId, passwordHash, methods, transport }: HalfSignIn): Promise<string> {
    const token = `${TOKEN_PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    await this.database.query(
      sql`insert into mfa_challenges (token_hash, user_id, password_hash, methods, transport, expires_at)
          values (${mfaTokenHash(token)}, ${userId}, ${passwordHash}, ${[...methods]}, ${transport},
            now() + make_interval(secs => ${CHALLENGE_TTL}))`,
    );
    return token;
  }

  /**
   * Returns the half sign-in of a token without counting an attempt; null if it does not exist or cannot be
   * completed.
   */
  async find(token: string): Promise<OpenChallenge | null> {
    const tokenHash = mfaTokenHash(token);
    const rows = await this.database.query(
      sql<ChallengeRow>`select ${CHALLENGE_COLUMNS} from mfa_challenges c, users u
        where c.token_hash = ${tokenHash} and ${this.isOpen}`,
    );
    return toChallenge(tokenHash, rows);
  }

  /**
   * Counts an attempt at a half sign-in. Concurrent attempts cannot exceed the limit.
   *
   * @returns null if no half sign-in has this token, or it cannot be completed.
   */
  async attempt(token: string): Promise<OpenChallenge | null> {
    const tokenHash = mfaTokenHash(token);
    const rows = await this.database.query(
      sql<ChallengeRow>`update mfa_challenges c set attempts = c.attempts + 1 from users u
        where c.token_hash = ${tokenHash} and ${this.isOpen}
        returning ${CHALLENGE_COLUMNS}`,
    );
    return toChallenge(tokenHash, rows);
  }

  /** Consumes it in the transaction that creates the session; false if it was consumed or expired since it was read. */
  async consume(tx: Queries, { tokenHash }: OpenChallenge): Promise<boolean> {
    const rows = await tx.query(
      sql`delete from mfa_challenges where token_hash = ${tokenHash} and expires_at > now() returning 1`,
    );
    return rows.length === 1;
  }

  /** The conditions of a password sign-in, checked again: the account may have changed since the first step. */
  private get isOpen(): RawBuilder<boolean> {
    const isVerified = this.config.AUTH_REQUIRE_VERIFIED_EMAIL
      ? sql`u.email_verified_at is not null`
      : sql`true`;
    return sql<boolean>`c.expires_at > now() and c.attempts < ${ATTEMPTS} and u.id = c.user_id and u.disabled_at is null
      and u.password_compromised_at is null and (c.password_hash is null or c.password_hash = u.password_hash) and ${isVerified}`;
  }
}

function toChallenge(tokenHash: Buffer, [row]: readonly ChallengeRow[]): OpenChallenge | null {
  if (!row) return null;
  const { user_id: userId, email_canonical: emailCanonical, password_hash: passwordHash } = row;
  const { methods, transport } = row;
  return { tokenHash, userId, emailCanonical, passwordHash, methods, transport };
}
