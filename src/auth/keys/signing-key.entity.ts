import { defineEntity, p } from '@mikro-orm/core';

/** A key pair that signs access tokens. The private half is encrypted under AUTH_SECRETS. */
const SigningKeySchema = defineEntity({
  name: 'SigningKey',
  tableName: 'signing_keys',
  properties: {
    kid: p.text().primary(),
    algorithm: p.text(),
    state: p.text(),
    publicJwk: p.json<Record<string, string>>(),
    privateKey: p.blob().hidden().lazy(),
    /** Since when it is published. */
    createdAt: p.datetime().defaultRaw('now()'),
    promotedAt: p.datetime().nullable(),
    demotedAt: p.datetime().nullable(),
    /** When the last access token that it signed runs out, once it signs no more. */
    tokensExpireAt: p.datetime().nullable(),
    retiredAt: p.datetime().nullable(),
    /** When an operator ended it; null for one that was retired because its time was over. */
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
