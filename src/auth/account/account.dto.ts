import { z } from 'zod';
import { minLengthBy } from '../../docs/api-reply.decorator.js';
import { passwordSchema } from '../../users/users.dto.js';

export const passwordChangeSchema = z
  .strictObject({
    current_password: passwordSchema.optional().meta({
      description:
        'Can be left out for STEP_UP_TTL after a sign-in or `POST /reauthenticate`, and does not stand in for a second ' +
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

const rowSchema = z.record(z.string(), z.unknown());

export const exportSchema = z
  .object({
    exported_at: z.iso.datetime(),
    account: rowSchema,
  })
  .catchall(z.array(rowSchema))
  .meta({
    id: 'AccountExport',
    description:
      'The account, and what belongs to it: one list a kind of thing, with the names of the database.',
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
        passkeys: [],
      },
    ],
  });
export type AccountExportReply = z.output<typeof exportSchema>;
