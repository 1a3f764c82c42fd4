import { z } from 'zod';
import { minLengthBy } from '../platform/docs/api-reply.decorator.js';
import { LANGUAGES } from '../texts/language.js';
import { inEnglish, say } from '../texts/text.js';
import { emailText } from './email.js';

/** The maximum of password bytes in UTF-8: bounds the input of a hash. */
const PASSWORD_MAX_BYTES = 1024;

/** Code points of a name, as the database counts them. */
const NAME_MAX = 100;

/** Unpaired surrogates and NUL cannot be stored unchanged in UTF-8 and PostgreSQL. */
const faithful = (text: string) => text.isWellFormed() && !text.includes('\0');

export const emailSchema = z
  .string({ error: say(({ fields }) => fields.text) })
  .superRefine((email, context) => {
    const text = emailText(email);
    if (text) context.addIssue({ code: 'custom', message: inEnglish(text), params: { text } });
  })
  .meta({ format: 'email', maxLength: 254 });

export const passwordSchema = z
  .string({ error: say(({ fields }) => fields.text) })
  .refine(faithful, { error: say(({ fields }) => fields.withoutNul) })
  .refine((password) => Buffer.byteLength(password) <= PASSWORD_MAX_BYTES, {
    error: say(({ fields }) => fields.bytesAtMost(PASSWORD_MAX_BYTES)),
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

/** No character that breaks a line or a display: names are shown in mails and lists. */
export const personalNameSchema = z
  .string({ error: say(({ fields }) => fields.textOrNull) })
  .refine((name) => faithful(name) && !/\p{Cc}|\p{Zl}|\p{Zp}/u.test(name), {
    error: say(({ fields }) => fields.oneLine),
  })
  .refine((name) => name.trim() !== '' && [...name].length <= NAME_MAX, {
    error: say(({ fields }) => fields.between(1, NAME_MAX)),
  })
  .meta({ minLength: 1, maxLength: NAME_MAX });

const languageSchema = z.enum(LANGUAGES, {
  error: say(({ fields }) => fields.mustBe([...LANGUAGES, 'null'].join(fields.or))),
});

export const profileSchema = z
  .strictObject({
    name: personalNameSchema.nullable().optional().meta({
      description: 'The name that you choose; null for none.',
    }),
    language: languageSchema.nullable().optional().meta({
      description: 'The language of mails and pages; null for mails in English.',
    }),
  })
  .refine((change) => Object.values(change).some((value) => value !== undefined), {
    error: say(({ fields }) => fields.oneChange),
  })
  .meta({ id: 'Profile', examples: [{ name: 'Ada', language: 'en' }] });
export type ProfileBody = z.output<typeof profileSchema>;

export const accountSchema = z
  .object({
    id: z.uuid(),
    email: z.string().meta({ description: 'As the owner wrote it.' }),
    email_verified: z.boolean().meta({ description: 'Whether the owner verified it.' }),
    name: z.string().nullable(),
    language: z
      .enum(LANGUAGES)
      .nullable()
      .meta({ description: 'The language of mails and pages; null for mails in English.' }),
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
        language: 'en',
        role: 'user',
        created_at: '2026-11-22T12:00:00.000Z',
      },
    ],
  });
export type AccountReply = z.output<typeof accountSchema>;
