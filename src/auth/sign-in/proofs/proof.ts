import type { Queries } from '../../../platform/database/database.js';
import type { Client } from '../../../platform/http/client.decorator.js';
import type { AssertionCeremony } from '../../factors/passkeys/webauthn-challenges.service.js';
import type { AssertionResponse } from '../../factors/passkeys/webauthn.dto.js';
import type { Guess } from '../../lockout/guess.js';

/** The values that a client can present, by authenticator. */
interface PresentedValues {
  readonly password: string;
  readonly totp: string;
  readonly recovery_code: string;
  readonly passkey: AssertionResponse;
}

type AuthenticatorName = keyof PresentedValues;

/** One value that a client presents to authenticate its user. */
export type Presented = {
  readonly [Name in AuthenticatorName]: {
    readonly authenticator: Name;
    readonly value: PresentedValues[Name];
  };
}[AuthenticatorName];

/** The user to authenticate, and the purpose. */
export interface ProofSubject {
  readonly userId: string;
  /** The address as stored now. */
  readonly email: string;
  /** The address under which guesses are counted. */
  readonly emailCanonical: string;
  /** The ceremony that a passkey must answer. */
  readonly ceremony: AssertionCeremony;
}

/** A valid proof. It counts once the accepting transaction has called `consume`. */
export interface Proven {
  readonly status: 'proven';
  /** RFC 8176 `amr` values. */
  readonly methods: readonly string[];
  /** The verified password hash; null for other authenticators. */
  readonly passwordHash: string | null;
  /** The counted guess: cleared when the proof succeeds, released when it completes nothing. */
  readonly guess: Guess;
  /** `enough` if it is two factors on its own, as a passkey that verified its user. */
  readonly alone: 'enough' | 'one_factor';
  /** Consumes a single-use proof; false if it was consumed since it was verified. */
  readonly consume?: (tx: Queries) => Promise<boolean>;
}

/** Why a proof is refused, for the log and the audit trail only. After too many guesses every proof is `locked`. */
export interface NotProven {
  readonly status: 'wrong' | 'locked';
}

/** A correct password that is known to be compromised: it can only be changed. */
export interface Compromised {
  readonly status: 'compromised';
  readonly passwordHash: string;
  readonly guess: Guess;
}

export type ProofResult = Proven | NotProven | Compromised;

/** Verifies the values of one kind of authenticator and counts guesses. */
export interface ProofVerifier<Name extends AuthenticatorName> {
  /** @throws Overloaded */
  verify(subject: ProofSubject, value: PresentedValues[Name], client: Client): Promise<ProofResult>;
}
