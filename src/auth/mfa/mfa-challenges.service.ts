import { createHash, randomBytes } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database, type Queries } from '../../database/database.js';
import { OldRows } from '../../sweep/old-rows.js';
import type { Transport } from '../strategies/auth.strategy.js';

/** Seconds within which the second factor has to come. */
const CHALLENGE_TTL = 600;
const TOKEN_PREFIX = 'trf_mt_';
const TOKEN_BYTES = 32;

/** Factors that may be tried with one token. */
const ATTEMPTS = 5;

/** A sign-in whose first factor was right. */
export interface HalfSignIn {
  readonly userId: string;
  /** The password that was verified. */
  readonly passwordHash: string;
  /** RFC 8176 `amr` values so far. */
  readonly methods: readonly string[];
  readonly transport: Transport;
}

/** A half sign-in that may go on. */
export interface OpenChallenge {
  readonly tokenHash: Buffer;
  readonly userId: string;
  /** Whose guesses are counted. */
  readonly emailCanonical: string;
  readonly passwordHash: string | null;
  readonly methods: readonly string[];
  readonly transport: Transport;
}

interface ChallengeRow {
  user_id: string;
  email_canonical: string;
  password_hash: string | null;
  methods: string[];
  transport: Transport;
}

const CHALLENGE_COLUMNS = sql`c.user_id, u.email_canonical, c.password_hash, c.methods, c.transport`;

/** SHA-256 of an `mfa_token`: how its challenge is found. */
export function mfaTokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** Half sign-ins whose time ran out. */
export const oldMfaChallenges = () =>
  new OldRows({
    table: 'mfa_challenges',
    key: ['token_hash'],
    by: 'expires_at',
    isOver: sql`expires_at < now()`,
  });

/** Sign-ins that lack a second factor. They are no sessions: their token reaches the factor endpoints and nothing else. */
@Injectable()
export class MfaChallenges {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** @returns the `mfa_token`; only its SHA-256 is kept. */
  async begin({ userId, passwordHash, methods, transport }: HalfSignIn): Promise<string> {
    const token = `${TOKEN_PREFIX}${randomBytes(TOKEN_BYTES).toString('base64url')}`;
    await this.database.query(
      sql`insert into mfa_challenges (token_hash, user_id, password_hash, methods, transport, expires_at)
          values (${mfaTokenHash(token)}, ${userId}, ${passwordHash}, ${[...methods]}, ${transport},
            now() + make_interval(secs => ${CHALLENGE_TTL}))`,
    );
    return token;
  }

  /** The half sign-in of a token, without trying anything; null if there is none, or it cannot go on. */
  async find(token: string): Promise<OpenChallenge | null> {
    const tokenHash = mfaTokenHash(token);
    const rows = await this.database.query(
      sql<ChallengeRow>`select ${CHALLENGE_COLUMNS} from mfa_challenges c, users u
        where c.token_hash = ${tokenHash} and ${this.isOpen}`,
    );
    return toChallenge(tokenHash, rows);
  }

  /**
   * Counts an attempt at a half sign-in: of many at once no more are admitted than there may be.
   *
   * @returns null if there is none with this token, or it cannot go on.
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

  /** Uses it up in the transaction that makes the session; false if it was used up or ran out meanwhile. */
  async consume(tx: Queries, { tokenHash }: OpenChallenge): Promise<boolean> {
    const rows = await tx.query(
      sql`delete from mfa_challenges where token_hash = ${tokenHash} and expires_at > now() returning 1`,
    );
    return rows.length === 1;
  }

  /** What a sign-in with a password asks of an account, asked again: it may have changed meanwhile. */
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
