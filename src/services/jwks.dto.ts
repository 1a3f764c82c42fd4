import { z } from 'zod';

const ofAllKeys = { kid: z.string(), use: z.literal('sig') };

/** RFC 7518 §6.2 and §6.3, for the algorithms that sign access tokens. */
const keySchema = z.union([
  z
    .object({
      ...ofAllKeys,
      kty: z.literal('EC'),
      alg: z.literal('ES256'),
      crv: z.literal('P-256'),
      x: z.string(),
      y: z.string(),
    })
    .meta({ id: 'EllipticCurveKey' }),
  z
    .object({
      ...ofAllKeys,
      kty: z.literal('RSA'),
      alg: z.enum(['PS256', 'RS256']),
      n: z.string(),
      e: z.string(),
    })
    .meta({ id: 'RsaKey' }),
]);

export const jwksReplySchema = z.object({ keys: z.array(keySchema) }).meta({
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
