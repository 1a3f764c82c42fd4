import { z } from 'zod';
import { optional } from '../platform/http/absent.js';
import { minLengthBy } from '../platform/docs/api-reply.decorator.js';
import { passwordSchema } from '../users/users.dto.js';
import { EXPORT_SECTIONS } from './export-sections.js';

export const passwordChangeSchema = z
  .strictObject({
    current_password: optional(passwordSchema).meta({
      description:
        'Optional for STEP_UP_TTL after a sign-in or `POST /reauthenticate`. It does not replace a second ' +
        'factor.',
    }),
    new_password: passwordSchema.meta({
      ...minLengthBy('PASSWORD_MIN_LENGTH'),
      description: 'Any characters, counted in Unicode code points. Common passwords are refused.',
    }),
  })
  .meta({
    id: 'PasswordChange',
    examples: [{ current_password: 'yourlongpassphrase', new_password: 'anotherlongpassphrase' }],
  });
export type PasswordChangeBody = z.output<typeof passwordChangeSchema>;

export const signInMethodsSchema = z
  .object({
    password: z.boolean().meta({ description: 'Whether the account has a password.' }),
    passkeys: z.int().meta({ description: 'The number of passkeys that can sign in.' }),
    totp: z.boolean().meta({ description: 'Whether an authenticator app is set up.' }),
    recovery_codes_left: z.int().meta({ description: 'The number of unused recovery codes.' }),
    pending_email: z.string().nullable().meta({
      description: 'The new address that waits for its confirmation; null if there is none.',
    }),
  })
  .meta({
    id: 'SignInMethods',
    examples: [{ password: true, passkeys: 1, totp: true, recovery_codes_left: 9, pending_email: null }],
  });
export type SignInMethodsReply = z.output<typeof signInMethodsSchema>;

const rowSchema = z
  .record(z.string(), z.unknown())
  .meta({ id: 'ExportedRow', description: 'The columns of a row, with the names of the database.' });

export const exportSchema = z
  .object({
    exported_at: z.iso.datetime(),
    account: rowSchema,
    ...Object.fromEntries(EXPORT_SECTIONS.map(({ table }) => [table, z.array(rowSchema)])),
  })
  .meta({
    id: 'AccountExport',
    description: 'The account and its data: one list for each table, with the names of the database.',
    examples: [
      {
        exported_at: '2026-11-22T12:00:00.000Z',
        account: {
          id: '019a0000-0000-7000-8000-000000000000',
          email: 'test@example.com',
          created_at: '2026-11-22T12:00:00+00:00',
        },
        sessions: [
          {
            id: '019a0000-0000-7000-8000-000000000002',
            strategy: 'session',
            methods: ['pwd'],
            created_at: '2026-11-22T12:00:00+00:00',
            ip: '203.0.113.7',
            user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
          },
        ],
        ...Object.fromEntries(
          EXPORT_SECTIONS.filter(({ table }) => table !== 'sessions').map(({ table }) => [table, []]),
        ),
      },
    ],
  });
export type AccountExportReply = z.output<typeof exportSchema>;
