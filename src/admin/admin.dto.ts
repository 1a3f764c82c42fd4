import { z } from 'zod';
import { optional } from '../platform/http/absent.js';
import { pageLimitSchema } from './paging.dto.js';
import { say } from '../texts/text.js';

const id = z.string().meta({ format: 'uuid', description: 'The id of an account.' });
const role = z.enum(['user', 'admin'], { error: 'must be user or admin' });
const USER_ID = '019a0000-0000-7000-8000-000000000000';

const cursor = z
  .uuid({ error: 'must be the next_cursor of a page' })
  .optional()
  .meta({ description: 'The `next_cursor` of the previous page.' });

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
    .meta({ description: 'Accounts whose address begins with this text, in any case.' }),
  role: role.optional(),
  state: z.enum(['enabled', 'disabled'], { error: 'must be enabled or disabled' }).optional(),
  limit: pageLimitSchema,
  cursor,
});
export type UsersQuery = z.output<typeof usersQuerySchema>;

export const userChangeSchema = z
  .strictObject({
    role: optional(role),
    disabled: optional(z.boolean({ error: 'must be true or false' })).meta({
      description: 'Whether the user is refused at sign-in; with `true`, all their sessions end immediately.',
    }),
    password_compromised: optional(z.literal(true, { error: 'must be true' })).meta({
      description:
        'The password is refused until the user changes it with a mailed link; all sessions end immediately.',
    }),
  })
  .refine((change) => Object.values(change).some((value) => value !== undefined), {
    error: say(({ fields }) => fields.oneChange),
  })
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
    role,
    email_verified: z.boolean(),
    disabled_at: z.iso.datetime().nullable(),
    password_compromised_at: z.iso.datetime().nullable(),
    factors: z
      .object({ password: z.boolean(), totp: z.boolean(), passkeys: z.int(), recovery_codes: z.int() })
      .meta({ description: 'The credentials that the user can sign in with.' }),
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
        'Which attempts are refused: from one network, from all networks unknown for this user, or all.',
    }),
    network: z.string().nullable(),
    failures: z.int().meta({ description: 'Consecutive failed attempts.' }),
    until: z.iso.datetime().nullable().meta({
      description:
        'When it ends automatically; null if only a sign-in from another network, a reset or an operator ends it.',
    }),
  })
  .meta({ id: 'Lock' });

export const inspectedUserSchema = administeredUserSchema
  .extend({
    locks: z.array(lockSchema).meta({ description: 'Active locks after failed attempts.' }),
  })
  .meta({ id: 'InspectedUser', examples: [{ ...USER, locks: [] }] });
export type InspectedUserView = z.output<typeof inspectedUserSchema>;

export const usersReplySchema = z
  .object({
    users: z.array(administeredUserSchema),
    next_cursor: z
      .string()
      .nullable()
      .meta({ description: 'The cursor of the next page; null on the last one.' }),
  })
  .meta({ id: 'AdministeredUsers', examples: [{ users: [], next_cursor: null }] });
export type UsersReply = z.output<typeof usersReplySchema>;

export const endedReplySchema = z
  .object({ ended: z.int().meta({ description: 'The number of ended sessions.' }) })
  .meta({ id: 'EndedSessions', examples: [{ ended: 2 }] });
