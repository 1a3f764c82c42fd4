import { z } from 'zod';
import { optional } from '../../platform/http/absent.js';
import { assertionSchema } from '../factors/passkeys/webauthn.dto.js';
import { recoveryCodeSchema } from '../factors/recovery-codes/recovery-codes.dto.js';
import { totpCodeSchema } from '../factors/totp/totp.dto.js';
import type { Presented } from './proofs/proof.js';

const FACTORS = ['code', 'recovery_code', 'credential'] as const;

/** Tokens are opaque: any text is accepted. */
const mfaTokenSchema = z
  .string({ error: 'must be a string' })
  .max(200, { error: 'must have 200 characters at most' })
  .meta({ description: 'The `mfa_token` of the sign-in.' });

export const mfaSchema = z
  .strictObject({
    mfa_token: mfaTokenSchema,
    code: optional(totpCodeSchema),
    recovery_code: optional(recoveryCodeSchema),
    credential: optional(assertionSchema),
  })
  .superRefine((body, context) => {
    const [first, ...more] = FACTORS.filter((field) => body[field] !== undefined);
    const message = `send exactly one of ${FACTORS.join(', ')}`;
    for (const field of first === undefined ? FACTORS : more)
      context.addIssue({ code: 'custom', path: [field], message });
  })
  .meta({ id: 'SecondFactor', examples: [{ mfa_token: 'trf_mt_example', code: '123456' }] });
export type MfaBody = z.output<typeof mfaSchema>;

/** The only factor in a body. */
export function presentedFactor({ code, recovery_code = '', credential }: MfaBody): Presented {
  if (code !== undefined) return { authenticator: 'totp', value: code };
  if (credential !== undefined) return { authenticator: 'passkey', value: credential };
  return { authenticator: 'recovery_code', value: recovery_code };
}
