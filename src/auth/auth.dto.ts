import { z } from 'zod';
import { emailSchema, passwordSchema } from '../users/users.dto.js';

const transportSchema = z
  .enum(['bearer', 'cookie'], { error: 'must be bearer or cookie' })
  .meta({ description: 'How tokens travel: in the body, or in cookies that scripts cannot read.' });

export const loginSchema = z
  .strictObject({ email: emailSchema, password: passwordSchema, transport: transportSchema.optional() })
  .meta({ id: 'Login' });
export type LoginBody = z.output<typeof loginSchema>;

/** Refresh tokens are opaque: any text may be tried, and is looked up only if it has the right form. */
const refreshTokenSchema = z
  .string({ error: 'must be a string' })
  .max(512, { error: 'must have 512 characters at most' })
  .meta({ examples: ['trf_rt_…'] });

export const refreshSchema = z
  .strictObject({ refresh_token: refreshTokenSchema.optional() })
  .optional()
  .meta({ id: 'Refresh' });
export type RefreshBody = z.output<typeof refreshSchema>;

export const logoutSchema = z
  .strictObject({ refresh_token: refreshTokenSchema.optional() })
  .optional()
  .meta({ id: 'Logout' });
export type LogoutBody = z.output<typeof logoutSchema>;

export const logoutQuerySchema = z.strictObject({
  scope: z.enum(['local', 'others', 'global'], { error: 'must be local, others or global' }).optional(),
});
export type LogoutQuery = z.output<typeof logoutQuerySchema>;

const sessionViewSchema = z
  .object({
    id: z.uuid(),
    strategy: z.string(),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'SessionView' });

const tokenFields = {
  access_token: z.string().optional().meta({ description: 'RFC 9068 access token.' }),
  token_type: z.literal('Bearer').optional(),
  expires_in: z.int().optional().meta({ description: 'Seconds until the access token expires.' }),
  refresh_token: z.string().optional().meta({ description: 'Opaque; each use gives a new one.' }),
};

export const loginReplySchema = z
  .object({ success: z.literal(true), email: z.string(), session: sessionViewSchema, ...tokenFields })
  .meta({ id: 'LoginReply' });
export type LoginReply = z.output<typeof loginReplySchema>;

export const refreshReplySchema = z.object(tokenFields).meta({ id: 'RefreshReply' });
export type RefreshReply = z.output<typeof refreshReplySchema>;

export const meReplySchema = z
  .union([
    z.object({ logged_in: z.literal(true), email: z.string() }),
    z.object({ logged_in: z.literal(false), action: z.enum(['login', 'refresh']).optional() }),
  ])
  .meta({ id: 'MeReply' });
export type MeReply = z.output<typeof meReplySchema>;

export const logoutReplySchema = z.object({ logged_in: z.literal(false) }).meta({ id: 'LogoutReply' });
export type LogoutReply = z.output<typeof logoutReplySchema>;

export const jwksReplySchema = z
  .object({
    keys: z.array(
      z
        .object({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.literal('sig') })
        .catchall(z.string()),
    ),
  })
  .meta({ id: 'JsonWebKeySet' });
