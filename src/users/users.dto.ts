import { z } from 'zod';
import { minLengthBy } from '../docs/api-reply.decorator.js';
import { canonicalEmail } from './email.js';

/** The longest password there may be, in bytes of UTF-8: it bounds what one hash reads. */
export const PASSWORD_MAX_BYTES = 1024;

/** Code points of a name, as the database counts them. */
const NAME_MAX = 100;

/** Unpaired surrogates and NUL have no faithful form in UTF-8 and in PostgreSQL. */
const faithful = (text: string) => text.isWellFormed() && !text.includes('\0');

export const emailSchema = z
  .string({ error: 'must be a string' })
  .refine((email) => faithful(email) && canonicalEmail(email) !== null, {
    error: 'must be one e-mail address, without surrounding space',
  })
  .meta({ format: 'email', maxLength: 254 });

export const passwordSchema = z
  .string({ error: 'must be a string' })
  .refine(faithful, { error: 'must not contain NUL or unpaired surrogates' })
  .refine((password) => Buffer.byteLength(password) <= PASSWORD_MAX_BYTES, {
    error: `must have ${PASSWORD_MAX_BYTES} bytes at most`,
  })
  .meta({ format: 'password', maxLength: PASSWORD_MAX_BYTES });

export const signupSchema = z
  .strictObject({
    email: emailSchema,
    password: passwordSchema.meta({
      ...minLengthBy('PASSWORD_MIN_LENGTH'),
      description: 'Any characters, counted in Unicode code points. Common passwords are refused.',
    }),
  })
  .meta({ id: 'Signup', examples: [{ email: 'test@example.com', password: 'yourlongpassphrase' }] });
export type SignupBody = z.output<typeof signupSchema>;

export const signupReplySchema = z
  .object({
    id: z.uuid(),
    message: z.literal('Signup successful'),
  })
  .meta({
    id: 'SignupReply',
    examples: [{ id: '019a0000-0000-7000-8000-000000000000', message: 'Signup successful' }],
  });

/** Nothing that breaks a line or a display: names stand in mails and lists. */
export const personalNameSchema = z
  .string({ error: 'must be a string, or null for none' })
  .refine((name) => faithful(name) && !/\p{Cc}|\p{Zl}|\p{Zp}/u.test(name), {
    error: 'must be one line, without control characters',
  })
  .refine((name) => name.trim() !== '' && [...name].length <= NAME_MAX, {
    error: `must have 1 to ${NAME_MAX} characters`,
  })
  .meta({ minLength: 1, maxLength: NAME_MAX });

export const profileSchema = z
  .strictObject({
    name: personalNameSchema
      .nullable()
      .meta({ description: 'What you want to be called; null for nothing.' }),
  })
  .meta({ id: 'Profile', examples: [{ name: 'Ada' }] });
export type ProfileBody = z.output<typeof profileSchema>;

export const accountSchema = z
  .object({
    id: z.uuid(),
    email: z.string().meta({ description: 'As its owner wrote it.' }),
    email_verified: z.boolean().meta({ description: 'Whether its owner proved that it is theirs.' }),
    name: z.string().nullable(),
    role: z.enum(['user', 'admin']),
    created_at: z.iso.datetime(),
  })
  .meta({
    id: 'Account',
    examples: [
      {
        id: '019a0000-0000-7000-8000-000000000000',
        email: 'test@example.com',
        email_verified: true,
        name: 'Ada',
        role: 'user',
        created_at: '2026-11-22T12:00:00.000Z',
      },
    ],
  });
export type AccountReply = z.output<typeof accountSchema>;
