import { z } from 'zod';
import { assertionSchema } from '../passkeys/webauthn.dto.js';
import { recoveryCodeSchema } from '../recovery-codes/recovery-codes.dto.js';
import { totpCodeSchema } from '../totp/totp.dto.js';
import { passwordSchema } from '../../users/users.dto.js';

/** What proves again who somebody is: at least one field. */
export const reauthenticateSchema = z
  .strictObject({
    password: passwordSchema.optional(),
    code: totpCodeSchema.optional(),
    recovery_code: recoveryCodeSchema.optional(),
    credential: assertionSchema.optional(),
  })
  .refine((body) => Object.values(body).some((value) => value !== undefined), {
    path: ['password'],
    error: 'must be given, or a factor',
  })
  .meta({
    id: 'Reauthenticate',
    examples: [{ password: 'yourlongpassphrase' }],
  });
export type ReauthenticateBody = z.output<typeof reauthenticateSchema>;
