import { z } from 'zod';
import { STRATEGY_NAMES } from '../../../config/auth.config.js';
import { acceptedWith, ISSUING_STRATEGY, issuedBy } from '../../platform/docs/api-reply.decorator.js';

export const transportSchema = z.enum(['bearer', 'cookie'], { error: 'must be bearer or cookie' }).meta({
  description:
    'How tokens travel: in the body (`bearer`, the default), or in cookies that scripts cannot read (`cookie`). ' +
    'It has no effect if the `session` strategy issues.',
});

/** The refresh token of examples; the documentation page replaces it with a real one. */
export const EXAMPLE_REFRESH_TOKEN = 'trf_rt_example';

/** Refresh tokens are opaque: any text is accepted, and looked up only if its format is valid. */
export const refreshTokenSchema = z
  .string({ error: 'must be a string' })
  .max(8192, { error: 'must have 8192 characters at most' })
  .meta({ ...acceptedWith('jwt'), description: 'The `refresh_token` of a sign-in or refresh.' });

/** The strategy of a session. */
export const strategySchema = z
  .enum(STRATEGY_NAMES)
  .meta({ id: 'Strategy', description: 'The kind of its credential.' });

const sessionViewSchema = z
  .object({
    id: z.uuid(),
    strategy: strategySchema,
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime(),
  })
  .meta({ id: 'SessionView' });

export const accessTokenSchema = z.string().optional().meta({
  description: 'RFC 9068 access token. Absent, like the other fields, if the tokens travel in cookies.',
});
export const tokenTypeSchema = z.literal('Bearer').optional();
export const expiresInSchema = z
  .int()
  .optional()
  .meta({ description: 'Seconds until the access token expires.' });
export const newRefreshTokenSchema = z
  .string()
  .optional()
  .meta({ description: 'Opaque; each use gives a new one.' });

export const EXAMPLE_TOKENS = {
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
