import { defineEntity, p } from '@mikro-orm/core';
import type { SigningAlgorithm } from '../../../config/auth.config.js';

export type KeyState = 'next' | 'current' | 'previous' | 'retired';

/** A key pair that signs access tokens. The private half is encrypted under AUTH_SECRETS. */
export const SigningKeySchema = defineEntity({
  name: 'SigningKey',
  tableName: 'signing_keys',
  properties: {
    kid: p.text().primary(),
    algorithm: p.text().$type<SigningAlgorithm>(),
    state: p.text().$type<KeyState>(),
    publicJwk: p.json<Record<string, string>>(),
    privateKey: p.blob().$type<Buffer>().hidden().lazy(),
    /** When it was published. */
    createdAt: p.datetime().defaultRaw('now()'),
    promotedAt: p.datetime().nullable(),
    demotedAt: p.datetime().nullable(),
    /** When the last access token that it signed expires, once it no longer signs. */
    tokensExpireAt: p.datetime().nullable(),
    retiredAt: p.datetime().nullable(),
    /** When an operator revoked it; null if it retired as planned. */
    revokedAt: p.datetime().nullable(),
  },
  uniques: [
    {
      name: 'signing_keys_one_current',
      expression:
        'create unique index "signing_keys_one_current" on "signing_keys" ("algorithm") where state = \'current\'',
    },
    {
      name: 'signing_keys_one_next',
      expression:
        'create unique index "signing_keys_one_next" on "signing_keys" ("algorithm") where state = \'next\'',
    },
  ],
  checks: [
    {
      name: 'signing_keys_state',
      expression: "state = any (array['next'::text, 'current'::text, 'previous'::text, 'retired'::text])",
    },
  ],
});

export class SigningKey extends SigningKeySchema.class {}
SigningKeySchema.setClass(SigningKey);
