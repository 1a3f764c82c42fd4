import { z } from 'zod';
import { acceptedWith, ISSUING_STRATEGY, issuedBy } from '../docs/api-reply.decorator.js';
import { emailSchema, passwordSchema } from '../users/users.dto.js';

export const transportSchema = z.enum(['bearer', 'cookie'], { error: 'must be bearer or cookie' }).meta({
  description:
    'How tokens travel: in the body (`bearer`, the default), or in cookies that scripts cannot read (`cookie`). ' +
    'It changes nothing where the `session` strategy issues.',
});

export const loginSchema = z
  .strictObject({ email: emailSchema, password: passwordSchema, transport: transportSchema.optional() })
  .meta({ id: 'Login', examples: [{ email: 'test@example.com', password: 'yourlongpassphrase' }] });
export type LoginBody = z.output<typeof loginSchema>;

export const exchangeSchema = z
  .strictObject({ transport: transportSchema.optional() })
  .optional()
  .meta({ id: 'Exchange', examples: [{ transport: 'bearer' }] });
export type ExchangeBody = z.output<typeof exchangeSchema>;

/** What stands for a refresh token in examples; the documentation page puts its own in its place. */
const EXAMPLE_REFRESH_TOKEN = 'trf_rt_example';

/** Refresh tokens are opaque: any text may be tried, and is looked up only if it has the right form. */
const refreshTokenSchema = z
  .string({ error: 'must be a string' })
  .max(8192, { error: 'must have 8192 characters at most' })
  .meta({ ...acceptedWith('jwt'), description: 'The `refresh_token` of a sign-in or refresh.' });

export const refreshSchema = z
  .strictObject({ refresh_token: refreshTokenSchema.optional() })
  .optional()
  .meta({ id: 'Refresh', examples: [{ refresh_token: EXAMPLE_REFRESH_TOKEN }] });
export type RefreshBody = z.output<typeof refreshSchema>;

export const logoutSchema = z
  .strictObject({ refresh_token: refreshTokenSchema.optional() })
  .optional()
  .meta({ id: 'Logout', examples: [{ refresh_token: EXAMPLE_REFRESH_TOKEN }] });
export type LogoutBody = z.output<typeof logoutSchema>;

export const logoutQuerySchema = z.strictObject({
  scope: z.enum(['local', 'others', 'global'], { error: 'must be local, others or global' }).optional().meta({
    description: 'Which sessions end: this one (`local`, the default), all `others`, or all (`global`).',
  }),
});
export type LogoutQuery = z.output<typeof logoutQuerySchema>;

const sessionViewSchema = z
  .object({
    id: z.uuid(),
    strategy: z.string().meta({ description: 'The kind of its credential.' }),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'SessionView' });

const accessTokenSchema = z.string().optional().meta({
  description: 'RFC 9068 access token. Absent where the tokens travel in cookies, as are the other fields.',
});
const tokenTypeSchema = z.literal('Bearer').optional();
const expiresInSchema = z.int().optional().meta({ description: 'Seconds until the access token expires.' });
const newRefreshTokenSchema = z
  .string()
  .optional()
  .meta({ description: 'Opaque; each use gives a new one.' });

const EXAMPLE_TOKENS = {
  access_token:
    'eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6IjAifQ.eyJzdWIiOiIwMTlhMDAwMCJ9.c2lnbmF0dXJl',
  token_type: 'Bearer',
  expires_in: 600,
  refresh_token: EXAMPLE_REFRESH_TOKEN,
} as const;

export const loginReplySchema = z
  .object({
    success: z.literal(true),
    email: z.string(),
    session: sessionViewSchema,
    access_token: accessTokenSchema.meta(issuedBy('jwt')),
    token_type: tokenTypeSchema.meta(issuedBy('jwt')),
    expires_in: expiresInSchema.meta(issuedBy('jwt')),
    refresh_token: newRefreshTokenSchema.meta(issuedBy('jwt')),
  })
  .meta({
    id: 'LoginReply',
    examples: [
      {
        success: true,
        email: 'test@example.com',
        session: {
          id: '019a0000-0000-7000-8000-000000000002',
          strategy: ISSUING_STRATEGY,
          created_at: '2026-11-22T12:00:00.000Z',
          expires_at: '2026-12-22T12:00:00.000Z',
        },
        ...EXAMPLE_TOKENS,
      },
    ],
  });
export type LoginReply = z.output<typeof loginReplySchema>;

export const refreshReplySchema = z
  .object({
    access_token: accessTokenSchema,
    token_type: tokenTypeSchema,
    expires_in: expiresInSchema,
    refresh_token: newRefreshTokenSchema,
  })
  .meta({ id: 'RefreshReply', examples: [EXAMPLE_TOKENS] });
export type RefreshReply = z.output<typeof refreshReplySchema>;

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
  'a dead credential': { logged_in: false, action: 'login' },
} satisfies Record<string, MeReply>;

export const logoutReplySchema = z
  .object({ logged_in: z.literal(false) })
  .meta({ id: 'LogoutReply', examples: [{ logged_in: false }] });
export type LogoutReply = z.output<typeof logoutReplySchema>;

export const jwksReplySchema = z
  .object({
    keys: z.array(
      z
        .object({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.literal('sig') })
        .catchall(z.string()),
    ),
  })
  .meta({
    id: 'JsonWebKeySet',
    examples: [
      {
        keys: [
          {
            kty: 'EC',
            crv: 'P-256',
            x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
            y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
            kid: '019a0000-0000-7000-8000-000000000003',
            alg: 'ES256',
            use: 'sig',
          },
        ],
      },
    ],
  });
