import { z } from 'zod';
import { optional } from '../../../platform/http/absent.js';
import { say } from '../../../texts/text.js';

const CODE_MAX = 20;

/** A code as users type it: apps show it in two groups. */
export const totpCodeSchema = z
  .string({ error: say(({ fields }) => fields.text) })
  .max(CODE_MAX, { error: say(({ fields }) => fields.atMost.characters(String(CODE_MAX))) })
  .regex(/^(?:\s*\d){6}\s*$/, { error: say(({ fields }) => fields.sixDigits) })
  .meta({ description: 'The six digits that the authenticator app shows. Spaces do not matter.' });

export const totpReplySchema = z
  .object({
    secret: z.string().meta({ description: 'The seed in base32, for typing. It is shown once.' }),
    otpauth_uri: z.string().meta({ description: 'The same for apps on this device.' }),
    qr_svg: z.string().meta({ description: 'The same as a QR code: an SVG image.' }),
  })
  .meta({
    id: 'NewTotp',
    examples: [
      {
        secret: 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ',
        otpauth_uri:
          'otpauth://totp/localhost:test%40example.com?issuer=localhost&secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&algorithm=SHA1&digits=6&period=30',
        qr_svg: '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 49 49">…</svg>',
      },
    ],
  });
export type TotpReply = z.output<typeof totpReplySchema>;

export const totpConfirmSchema = z
  .strictObject({
    code: totpCodeSchema,
    end_other_sessions: optional(z.boolean({ error: 'must be true or false' })).meta({
      description: 'Whether to end all other sessions of the caller; false by default.',
    }),
  })
  .meta({ id: 'TotpConfirmation', examples: [{ code: '123456' }] });
export type TotpConfirmBody = z.output<typeof totpConfirmSchema>;

export const totpRemovalSchema = z.strictObject({
  end_other_sessions: z.enum(['true', 'false'], { error: 'must be true or false' }).optional().meta({
    description: 'Whether to end all other sessions of the caller; false by default.',
  }),
});
export type TotpRemovalQuery = z.output<typeof totpRemovalSchema>;
