import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import { Database } from '../../database/database.js';
import { OldRows } from '../../sweep/old-rows.js';

/** WebAuthn Level 3 §13.4.3 asks for 16. */
export const CHALLENGE_BYTES = 32;
/** Seconds in which a ceremony has to be completed (§15.1: five to ten minutes). */
export const CEREMONY_TTL = 300;

/** Those that nobody answered in time. */
export const oldWebauthnChallenges = () =>
  new OldRows({
    table: 'webauthn_challenges',
    key: ['challenge'],
    by: 'expires_at',
    isOver: sql`expires_at < now()`,
  });

/** Somebody proves who they are with a passkey: at sign-in, behind a password, or once more in their session. */
export type AssertionCeremony =
  /** Without a name: whose it is, the passkey says. */
  | { readonly kind: 'sign_in' }
  /** @see mfaTokenHash */
  | { readonly kind: 'second_factor'; readonly mfaTokenHash: Buffer }
  | { readonly kind: 'reauthentication'; readonly userId: string; readonly sessionId: string };

/** A passkey is made, or used. */
export type Ceremony =
  { readonly kind: 'registration'; readonly userId: string; readonly sessionId: string } | AssertionCeremony;

/** A challenge, and who has to answer it; null for whoever can. */
export interface Challenge {
  readonly challenge: Buffer;
  readonly userId: string | null;
}

/** The challenges of ceremonies. Each is good for one answer, in the ceremony and for the one that it was made for. */
@Injectable()
export class WebauthnChallenges {
  constructor(private readonly database: Database) {}

  /** @returns null if there is no such half sign-in. */
  async begin(ceremony: Ceremony): Promise<Challenge | null> {
    const challenge = randomBytes(CHALLENGE_BYTES);
    const rows = await this.database.query(
      sql<{ user_id: string | null }>`insert into webauthn_challenges
          (challenge, ceremony, user_id, session_id, mfa_token_hash, expires_at)
        ${valuesOf(ceremony, challenge)} returning user_id`,
    );
    return rows[0] ? { challenge, userId: rows[0].user_id } : null;
  }

  /**
   * Uses a challenge up, before anything else of the answer is looked at.
   *
   * @returns null if there is none for this ceremony: never was, was answered, or its time is over.
   */
  async consume(challenge: Buffer, ceremony: Ceremony): Promise<Challenge | null> {
    const rows = await this.database.query(
      sql<{ user_id: string | null }>`delete from webauthn_challenges where challenge = ${challenge}
        and expires_at > now() and ${boundTo(ceremony)} returning user_id`,
    );
    return rows[0] ? { challenge, userId: rows[0].user_id } : null;
  }
}

function valuesOf(ceremony: Ceremony, challenge: Buffer): RawBuilder<unknown> {
  const expiry = sql`now() + make_interval(secs => ${CEREMONY_TTL})`;
  switch (ceremony.kind) {
    case 'registration':
      return sql`values (${challenge}, 'registration', ${ceremony.userId}, ${ceremony.sessionId}, null, ${expiry})`;
    case 'reauthentication':
      return sql`values (${challenge}, 'authentication', ${ceremony.userId}, ${ceremony.sessionId}, null, ${expiry})`;
    case 'sign_in':
      return sql`values (${challenge}, 'authentication', null, null, null, ${expiry})`;
    case 'second_factor':
      return sql`select ${challenge}::bytea, 'authentication', c.user_id, null::uuid, c.token_hash, least(${expiry}, c.expires_at)
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
