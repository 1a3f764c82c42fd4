import { z } from 'zod';
import { assertionSchema } from '../passkeys/webauthn.dto.js';
import { recoveryCodeSchema } from '../recovery-codes/recovery-codes.dto.js';
import { totpCodeSchema } from '../totp/totp.dto.js';
import type { PresentedFactor } from './factor-proofs.service.js';

const FACTORS = ['code', 'recovery_code', 'credential'] as const;

/** A token is opaque: any text may be tried. */
const mfaTokenSchema = z
  .string({ error: 'must be a string' })
  .max(200, { error: 'must have 200 characters at most' })
  .meta({ description: 'The `mfa_token` of the sign-in that needs it.' });

export const mfaSchema = z
  .strictObject({
    mfa_token: mfaTokenSchema,
    code: totpCodeSchema.optional(),
    recovery_code: recoveryCodeSchema.optional(),
    credential: assertionSchema.optional(),
  })
  .superRefine((body, context) => {
    const [first, ...more] = FACTORS.filter((field) => body[field] !== undefined);
    const message = `send exactly one of ${FACTORS.join(', ')}`;
    for (const field of first === undefined ? FACTORS : more)
      context.addIssue({ code: 'custom', path: [field], message });
  })
  .meta({ id: 'SecondFactor', examples: [{ mfa_token: 'trf_mt_example', code: '123456' }] });
export type MfaBody = z.output<typeof mfaSchema>;

/** The one factor that a body carries. */
export function presentedFactor({ code, recovery_code = '', credential }: MfaBody): PresentedFactor {
  if (code !== undefined) return { factor: 'totp', code };
  if (credential !== undefined) return { factor: 'passkey', credential };
  return { factor: 'recovery_code', code: recovery_code };
}
