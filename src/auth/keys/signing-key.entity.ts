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
    createdAt: p.datetime().defaultRaw('now()'),
  },
  uniques: [
    {
      name: 'signing_keys_one_current',
      expression:
        'create unique index "signing_keys_one_current" on "signing_keys" ("algorithm") where state = \'current\'',
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
