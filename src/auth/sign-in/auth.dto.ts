import { z } from 'zod';
import { optional } from '../../platform/http/absent.js';
import { emailSchema, passwordSchema } from '../../users/users.dto.js';
import { EXAMPLE_REFRESH_TOKEN, refreshTokenSchema, transportSchema } from '../credentials/credential.dto.js';

export const loginSchema = z
  .strictObject({ email: emailSchema, password: passwordSchema, transport: optional(transportSchema) })
  .meta({ id: 'Login', examples: [{ email: 'test@example.com', password: 'yourlongpassphrase' }] });
export type LoginBody = z.output<typeof loginSchema>;

export const logoutSchema = optional(z.strictObject({ refresh_token: optional(refreshTokenSchema) })).meta({
  id: 'Logout',
  examples: [{ refresh_token: EXAMPLE_REFRESH_TOKEN }],
});
export type LogoutBody = z.output<typeof logoutSchema>;

export const logoutQuerySchema = z.strictObject({
  scope: z.enum(['local', 'others', 'global'], { error: 'must be local, others or global' }).optional().meta({
    description: 'Which sessions end: this one (`local`, the default), all `others`, or all (`global`).',
  }),
});
export type LogoutQuery = z.output<typeof logoutQuerySchema>;

export const meReplySchema = z
  .union([
    z.object({ logged_in: z.literal(true), email: z.string() }),
    z.object({ logged_in: z.literal(false), action: z.enum(['login', 'refresh']).optional() }),
  ])
  .meta({ id: 'MeReply' });
export type MeReply = z.output<typeof meReplySchema>;
export const ME_EXAMPLES = {
  'signed in': { logged_in: true, email: 'test@example.com' },
  'no credential': { logged_in: false },
  'a credential that is not live': { logged_in: false, action: 'login' },
} satisfies Record<string, MeReply>;

export const logoutReplySchema = z
  .object({ logged_in: z.literal(false), action: z.literal('login').optional() })
  .meta({ id: 'LogoutReply', examples: [{ logged_in: false }] });
export type LogoutReply = z.output<typeof logoutReplySchema>;
