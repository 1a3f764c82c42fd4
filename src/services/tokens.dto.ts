import { z } from 'zod';

/**
 * The form of both calls (RFC 7662 §2.1, RFC 7009 §2.1). Unknown parameters are ignored, as RFC 6749 §3.2 requires.
 * The guard has already checked those of the client.
 */
function tokenForm(id: string) {
  return z
    .object(
      {
        token: z
          .string({ error: 'must be given' })
          .meta({ description: 'An access token, a refresh token, or the value of a session cookie.' }),
        token_type_hint: z
          .string()
          .optional()
          .meta({ description: 'The kind of token. It has no effect: all kinds are tried.' }),
        client_id: z.string().optional().meta({ description: 'Here or in `Authorization: Basic`.' }),
        client_secret: z
          .string()
          .optional()
          .meta({ description: 'Here or in `Authorization: Basic`, not in both.' }),
      },
      { error: 'must be a form with a token' },
    )
    .meta({ id, examples: [{ token: 'trf_st_example' }] });
}

export const introspectionSchema = tokenForm('Introspection');
export type IntrospectionForm = z.output<typeof introspectionSchema>;

export const revocationSchema = tokenForm('Revocation');
export type RevocationForm = z.output<typeof revocationSchema>;

const seconds = z.int().meta({ description: 'Seconds since 1970.' });

export const introspectionReplySchema = z
  .union([
    z.object({
      active: z.literal(true),
      token_type: z.enum(['Bearer', 'session']).meta({
        description: '`Bearer` for an access token, `session` for the value of a session cookie.',
      }),
      iss: z.string(),
      aud: z.union([z.string(), z.array(z.string())]),
      sub: z.uuid().meta({ description: 'The id of the account.' }),
      sid: z.uuid().meta({ description: 'The id of the session. Not secret.' }),
      client_id: z.string(),
      iat: seconds,
      exp: seconds,
      nbf: seconds.optional(),
      jti: z.string().optional(),
      auth_time: seconds.meta({ description: 'When the user last authenticated.' }),
      amr: z.array(z.string()).meta({ description: 'The methods (RFC 8176).' }),
    }),
    z.object({ active: z.literal(false) }),
  ])
  .meta({ id: 'IntrospectionReply' });
export type IntrospectionReply = z.output<typeof introspectionReplySchema>;

const EXAMPLE_SESSION = {
  iss: 'https://auth.example.com',
  aud: 'https://auth.example.com',
  sub: '019a0000-0000-7000-8000-000000000005',
  sid: '019a0000-0000-7000-8000-000000000002',
  client_id: 'traffy',
  auth_time: 1_795_348_800,
  amr: ['pwd'],
};

export const INTROSPECTION_EXAMPLES = {
  'an access token': {
    active: true,
    token_type: 'Bearer',
    ...EXAMPLE_SESSION,
    iat: 1_795_350_000,
    nbf: 1_795_349_995,
    exp: 1_795_350_600,
    jti: '019a0000-0000-7000-8000-000000000006',
  },
  'a session cookie': {
    active: true,
    token_type: 'session',
    ...EXAMPLE_SESSION,
    iat: 1_795_348_800,
    exp: 1_797_940_800,
  },
  'anything else': { active: false },
} satisfies Record<string, IntrospectionReply>;
