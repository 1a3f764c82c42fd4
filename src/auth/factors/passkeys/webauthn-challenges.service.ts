import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import type { Columns } from '../../../platform/database/columns.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import { ExpiredRows } from '../../../platform/retention/expired-rows.js';
import type { FactorsTables } from '../factors.tables.js';

/** WebAuthn Level 3 §13.4.3 requires 16. */
export const CHALLENGE_BYTES = 32;
/** Seconds to complete a ceremony (§15.1: five to ten minutes). */
export const CEREMONY_TTL = 300;

/** Expired challenges. */
export const expiredWebauthnChallenges = () =>
  new ExpiredRows<FactorsTables>({
    table: 'webauthn_challenges',
    key: ['challenge'],
    by: 'expires_at',
    isOver: sql`expires_at < now()`,
  });

/** Authentication with a passkey: at sign-in, as a second factor, or as re-authentication in a session. */
export type AssertionCeremony =
  /** Without a name: the passkey identifies its user. */
  | { readonly kind: 'sign_in' }
  /** @see mfaTokenHash */
  | { readonly kind: 'second_factor'; readonly mfaTokenHash: Buffer }
  | { readonly kind: 'reauthentication'; readonly userId: string; readonly sessionId: string };

/** The registration or the use of a passkey. */
export type Ceremony =
  | {
      readonly kind: 'registration';
      readonly userId: string;
      readonly sessionId: string;
      /** At the begin: whether the browser registers without a prompt. */
      readonly isConditional?: boolean;
    }
  | AssertionCeremony;

/** A challenge and the user who must answer it; null for any user. */
export interface Challenge {
  readonly challenge: Buffer;
  readonly userId: string | null;
  /** Of a registration: whether the browser makes it without a prompt, and so without user presence. */
  readonly isConditional: boolean;
}

type ChallengeRow = Columns<FactorsTables, 'webauthn_challenges', 'user_id' | 'is_conditional'>;

/** Challenges of ceremonies. Each is valid for one answer, for its ceremony and its user only. */
@Injectable()
export class WebauthnChallenges {
  constructor(private readonly database: Database) {}

  /**
   * @param queries for a ceremony of a session, the transaction that has locked it.
   * @returns null if the half sign-in does not exist.
   */
  async begin(ceremony: Ceremony, queries: Queries = this.database): Promise<Challenge | null> {
    const challenge = randomBytes(CHALLENGE_BYTES);
    const rows = await queries.query(
      sql<ChallengeRow>`insert into webauthn_challenges
          (challenge, ceremony, user_id, session_id, mfa_token_hash, expires_at, is_conditional)
        ${valuesOf(ceremony, challenge)} returning user_id, is_conditional`,
    );
    return challengeOf(challenge, rows);
  }

  /**
   * Consumes a challenge, before anything else of the answer is checked.
   *
   * @returns null if this ceremony has no such challenge: unknown, answered or expired.
   */
  async consume(challenge: Buffer, ceremony: Ceremony): Promise<Challenge | null> {
    const rows = await this.database.query(
      sql<ChallengeRow>`delete from webauthn_challenges where challenge = ${challenge}
        and expires_at > now() and ${boundTo(ceremony)} returning user_id, is_conditional`,
    );
    return challengeOf(challenge, rows);
  }
}

function challengeOf(challenge: Buffer, [row]: readonly ChallengeRow[]): Challenge | null {
  return row ? { challenge, userId: row.user_id, isConditional: row.is_conditional } : null;
}

function valuesOf(ceremony: Ceremony, challenge: Buffer): RawBuilder<unknown> {
  const expiry = sql`now() + make_interval(secs => ${CEREMONY_TTL})`;
  switch (ceremony.kind) {
    case 'registration':
      return sql`values (${challenge}, 'registration', ${ceremony.userId}, ${ceremony.sessionId}, null, ${expiry},
        ${ceremony.isConditional ?? false})`;
    case 'reauthentication':
      return sql`values (${challenge}, 'authentication', ${ceremony.userId}, ${ceremony.sessionId}, null, ${expiry}, false)`;
    case 'sign_in':
      return sql`values (${challenge}, 'authentication', null, null, null, ${expiry}, false)`;
    case 'second_factor':
      return sql`select ${challenge}::bytea, 'authentication', c.user_id, null::uuid, c.token_hash, least(${expiry}, c.expires_at), false
        from mfa_challenges c where c.token_hash = ${ceremony.mfaTokenHash} and c.expires_at > now()`;
  }
}

function boundTo(ceremony: Ceremony): RawBuilder<unknown> {
  switch (ceremony.kind) {
    case 'registration':
      return sql`ceremony = 'registration' and user_id = ${ceremony.userId} and session_id = ${ceremony.sessionId}`;
    case 'reauthentication':
      return sql`ceremony = 'authentication' and user_id = ${ceremony.userId} and session_id = ${ceremony.sessionId}`;
    case 'sign_in':
      return sql`ceremony = 'authentication' and user_id is null and session_id is null and mfa_token_hash is null`;
    case 'second_factor':
      return sql`ceremony = 'authentication' and mfa_token_hash = ${ceremony.mfaTokenHash}`;
  }
}
