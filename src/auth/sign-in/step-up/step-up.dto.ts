import { z } from 'zod';
import { optional } from '../../../platform/http/absent.js';
import { assertionSchema } from '../../factors/passkeys/webauthn.dto.js';
import { recoveryCodeSchema } from '../../factors/recovery-codes/recovery-codes.dto.js';
import { totpCodeSchema } from '../../factors/totp/totp.dto.js';
import { passwordSchema } from '../../../users/users.dto.js';
import type { Presented } from '../proofs/proof.js';

/** The proofs of a re-authentication: at least one field. */
export const reauthenticateSchema = z
  .strictObject({
    password: optional(passwordSchema),
    code: optional(totpCodeSchema),
    recovery_code: optional(recoveryCodeSchema),
    credential: optional(assertionSchema),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    path: ['password'],
    error: 'must be given unless a factor is given',
  })
  .meta({
    id: 'Reauthenticate',
    examples: [{ password: 'yourlongpassphrase' }],
  });
export type ReauthenticateBody = z.output<typeof reauthenticateSchema>;

/** All presented proofs, in the order of verification: factors, which cost a guess, follow the password. */
export function presentedProofs({
  password,
  code,
  recovery_code,
  credential,
}: ReauthenticateBody): Presented[] {
  return [
    ...(password === undefined ? [] : [{ authenticator: 'password', value: password } as const]),
    ...(code === undefined ? [] : [{ authenticator: 'totp', value: code } as const]),
    ...(recovery_code === undefined
      ? []
      : [{ authenticator: 'recovery_code', value: recovery_code } as const]),
    ...(credential === undefined ? [] : [{ authenticator: 'passkey', value: credential } as const]),
  ];
}
