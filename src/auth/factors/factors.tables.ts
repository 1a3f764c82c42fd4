import type { InferKyselyDB } from '@mikro-orm/sql';
import type { PasskeySchema } from './passkeys/passkey.entity.js';
import type { WebauthnChallengeSchema } from './passkeys/webauthn-challenge.entity.js';
import type { RecoveryCodeSchema } from './recovery-codes/recovery-code.entity.js';
import type { TotpAuthenticatorSchema } from './totp/totp-authenticator.entity.js';

/** The tables that this room writes. */
export type FactorsTables = InferKyselyDB<
  | typeof PasskeySchema
  | typeof WebauthnChallengeSchema
  | typeof RecoveryCodeSchema
  | typeof TotpAuthenticatorSchema
>;
