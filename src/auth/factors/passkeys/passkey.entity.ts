import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../../users/user.entity.js';

/** A WebAuthn credential of a user (WebAuthn Level 3 §4, credential record). */
export const PasskeySchema = defineEntity({
  name: 'Passkey',
  tableName: 'passkeys',
  properties: {
    id: p.uuid().primary(),
    user: () => p.manyToOne(User).deleteRule('cascade'),
    /** The name that its owner chose. */
    name: p.text(),
    credentialId: p.blob().$type<Buffer>().unique('passkeys_credential_id_key'),
    publicKey: p.blob().$type<Buffer>(),
    signCount: p.bigint('number').defaultRaw('0'),
    transports: p.array().columnType('text[]'),
    isBackupEligible: p.boolean(),
    isBackedUp: p.boolean(),
    aaguid: p.text(),
    /** Registered without a prompt; no second factor before its first use. */
    isConditional: p.boolean().defaultRaw('false'),
    createdAt: p.datetime().defaultRaw('now()'),
    lastUsedAt: p.datetime().nullable(),
    /** When the public key was checked; null for a passkey of an older version until `PasskeyKeyChecks` has run. */
    keyCheckedAt: p.datetime().nullable(),
    /** Why the key must not sign in (`KeyFlaw`); null if it can. */
    keyFlaw: p.text().nullable(),
  },
  indexes: [
    { name: 'passkeys_user_id_index', properties: ['user'] },
    {
      name: 'passkeys_unchecked_index',
      properties: ['id'],
      expression: 'create index "passkeys_unchecked_index" on "passkeys" ("id") where key_checked_at is null',
    },
  ],
  checks: [
    {
      name: 'passkeys_credential_id_length',
      expression: 'length(credential_id) >= 1 and length(credential_id) <= 1023',
    },
    { name: 'passkeys_name_length', expression: 'char_length(name) >= 1 and char_length(name) <= 100' },
  ],
});

export class Passkey extends PasskeySchema.class {}
PasskeySchema.setClass(Passkey);
