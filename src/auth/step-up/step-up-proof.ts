import type { Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import type { Guess } from '../lockout/guess.js';
import type { ReauthenticateBody } from './step-up.dto.js';

/** Whose proof it is: the person of the session, and nobody else. */
export interface Person {
  readonly userId: string;
  /** The session that asks. */
  readonly sessionId: string;
  /** The address as stored now. */
  readonly email: string;
}

/** Something that was shown and is right. */
export interface Proven {
  readonly status: 'proven';
  /** RFC 8176 `amr` values. */
  readonly methods: readonly string[];
  /** The password that was verified; null for anything else. */
  readonly passwordHash: string | null;
  /** What is counted of it. */
  readonly guess: Guess;
  /** `enough` where it is two factors by itself, as a passkey is that verified its user. */
  readonly alone: 'enough' | 'one_factor';
  /** Uses up what can be used once, in the transaction that takes the proof; false if it was used meanwhile. */
  readonly consume?: (tx: Queries) => Promise<boolean>;
}

/** Why something that was shown proves nothing: for the log and the audit trail, not for the caller. */
export interface NotProven {
  readonly status: 'wrong' | 'locked';
}

/** A right password that counts as known to others: good for being changed, and nothing else. */
export interface Compromised {
  readonly status: 'compromised';
  readonly passwordHash: string;
  readonly guess: Guess;
}

/** A way to prove again who one is: one field of `POST /reauthenticate`. */
export interface StepUpProof<Field extends keyof ReauthenticateBody = keyof ReauthenticateBody> {
  readonly field: Field;
  /** @throws Overloaded */
  verify(
    person: Person,
    value: NonNullable<ReauthenticateBody[Field]>,
    client: Client,
  ): Promise<Proven | NotProven | Compromised>;
}
