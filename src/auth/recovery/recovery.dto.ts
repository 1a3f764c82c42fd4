import { z } from 'zod';
import { minLengthBy } from '../../docs/api-reply.decorator.js';
import { emailSchema, passwordSchema } from '../../users/users.dto.js';

/** Tokens of mails are opaque: any text may be tried, and is looked up only if it has the right form. */
export const mailedTokenSchema = z
  .string({ error: 'must be a string' })
  .max(256, { error: 'must have 256 characters at most' })
  .meta({ description: 'What stands behind `#token=` in the link of the mail.' });

/** What stands for a token in examples. */
export const EXAMPLE_MAILED_TOKEN = 'trf_ot_example';

export const forgotSchema = z
  .strictObject({ email: emailSchema })
  .meta({ id: 'PasswordForgotten', examples: [{ email: 'test@example.com' }] });
export type ForgotBody = z.output<typeof forgotSchema>;

export const resetSchema = z
  .strictObject({
    token: mailedTokenSchema,
    new_password: passwordSchema.meta({
      ...minLengthBy('PASSWORD_MIN_LENGTH'),
      description: 'As at sign-up, and not the one that the account has.',
    }),
  })
  .meta({
    id: 'PasswordReset',
    examples: [{ token: EXAMPLE_MAILED_TOKEN, new_password: 'another long passphrase' }],
  });
export type ResetBody = z.output<typeof resetSchema>;
