import { z } from 'zod';
import { minLengthBy } from '../../platform/docs/api-reply.decorator.js';
import { emailSchema, passwordSchema } from '../../users/users.dto.js';

/** Any text is accepted, and looked up only if its format is valid. */
export const mailedTokenSchema = z
  .string({ error: 'must be a string' })
  .max(256, { error: 'must have 256 characters at most' })
  .meta({
    description:
      'The text after `#token=` in the link of the mail, or the code below it, in any case and with any separators.',
  });

/** The token of examples. */
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
      description: 'The rules of sign-up apply. Must differ from the current password.',
    }),
  })
  .meta({
    id: 'PasswordReset',
    examples: [{ token: EXAMPLE_MAILED_TOKEN, new_password: 'another long passphrase' }],
  });
export type ResetBody = z.output<typeof resetSchema>;
