import { z } from 'zod';
import { pageLimitSchema } from './paging.dto.js';

const id = z.string().meta({ format: 'uuid', description: 'The id of an account.' });
const role = z.enum(['user', 'admin'], { error: 'must be user or admin' });
const USER_ID = '019a0000-0000-7000-8000-000000000000';

const cursor = z
  .uuid({ error: 'must be the next_cursor of a page' })
  .optional()
  .meta({ description: 'The `next_cursor` of the page before.' });

export const userParamsSchema = z.strictObject({ id }).meta({ examples: [{ id: USER_ID }] });
export type UserParams = z.output<typeof userParamsSchema>;

export const userSessionParamsSchema = z
  .strictObject({ id, session_id: z.string().meta({ format: 'uuid' }) })
  .meta({ examples: [{ id: USER_ID, session_id: '019a0000-0000-7000-8000-000000000002' }] });
export type UserSessionParams = z.output<typeof userSessionParamsSchema>;

export const usersQuerySchema = z.strictObject({
  email_prefix: z
    .string()
    .max(254, { error: 'must have 254 characters at most' })
    .refine((text) => text.isWellFormed() && !text.includes('\0'), { error: 'must be text without NUL' })
    .optional()
    .meta({ description: 'Accounts whose address begins so, in any case.' }),
  role: role.optional(),
  state: z.enum(['enabled', 'disabled'], { error: 'must be enabled or disabled' }).optional(),
  limit: pageLimitSchema,
  cursor,
});
export type UsersQuery = z.output<typeof usersQuerySchema>;

export const userChangeSchema = z
  .strictObject({
    role: role.optional(),
    disabled: z.boolean({ error: 'must be true or false' }).optional().meta({
      description: 'Whether the person may not sign in; with `true`, all their sessions end at once.',
    }),
    password_compromised: z.literal(true, { error: 'must be true' }).optional().meta({
      description:
        'The password opens nothing until it is changed by a link that is sent by mail; all sessions end at once.',
    }),
  })
  .refine((change) => Object.keys(change).length > 0, { error: 'must name what to change' })
  .meta({ id: 'UserChange', examples: [{ disabled: true }] });
export type UserChangeBody = z.output<typeof userChangeSchema>;

const USER = {
  id: USER_ID,
  email: 'test@example.com',
  name: null,
  role: 'user',
  email_verified: true,
  disabled_at: null,
  password_compromised_at: null,
  factors: { password: true, totp: false, passkeys: 1, recovery_codes: 10 },
  live_sessions: 2,
  created_at: '2026-11-22T12:00:00.000Z',
};

const administeredUserSchema = z
  .object({
    id: z.uuid(),
    email: z.string(),
    name: z.string().nullable(),
    role: z.string(),
    email_verified: z.boolean(),
    disabled_at: z.iso.datetime().nullable(),
    password_compromised_at: z.iso.datetime().nullable(),
    factors: z
      .object({ password: z.boolean(), totp: z.boolean(), passkeys: z.int(), recovery_codes: z.int() })
      .meta({ description: 'What the person can sign in with.' }),
    live_sessions: z.int(),
    created_at: z.iso.datetime(),
  })
  .meta({ id: 'AdministeredUser', examples: [USER] });
export type AdministeredUserView = z.output<typeof administeredUserSchema>;

const lockSchema = z
  .object({
    authenticator: z.enum(['password', 'totp', 'recovery_code', 'passkey']),
    refuses: z.enum(['network', 'unknown_networks', 'everybody']).meta({
      description:
        'Whose guesses are refused: those of one network, of all that the person did not sign in from, or everybody’s.',
    }),
    network: z.string().nullable(),
    failures: z.int().meta({ description: 'Wrong guesses in a row.' }),
    until: z.iso.datetime().nullable().meta({
      description:
        'When it ends by itself; null if it takes a sign-in from elsewhere, a reset or an operator.',
    }),
  })
  .meta({ id: 'Lock' });

export const inspectedUserSchema = administeredUserSchema
  .extend({
    locks: z.array(lockSchema).meta({ description: 'Locks after wrong guesses that are in force.' }),
  })
  .meta({ id: 'InspectedUser', examples: [{ ...USER, locks: [] }] });
export type InspectedUserView = z.output<typeof inspectedUserSchema>;

export const usersReplySchema = z
  .object({
    users: z.array(administeredUserSchema),
    next_cursor: z.string().nullable().meta({ description: 'For the next page; null on the last one.' }),
  })
  .meta({ id: 'AdministeredUsers', examples: [{ users: [], next_cursor: null }] });
export type UsersReply = z.output<typeof usersReplySchema>;

export const endedReplySchema = z
  .object({ ended: z.int().meta({ description: 'How many sessions were ended.' }) })
  .meta({ id: 'EndedSessions', examples: [{ ended: 2 }] });
