import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../users/user.entity.js';

/** A WebAuthn credential of a person (WebAuthn Level 3 §4, credential record). */
const PasskeySchema = defineEntity({
  name: 'Passkey',
  tableName: 'passkeys',
  properties: {
    id: p.uuid().primary(),
    user: () => p.manyToOne(User).deleteRule('cascade'),
    /** What its owner calls it. */
    name: p.text(),
    credentialId: p.blob().unique('passkeys_credential_id_key'),
    publicKey: p.blob(),
    signCount: p.bigint('bigint').defaultRaw('0'),
    transports: p.array().columnType('text[]'),
    isBackupEligible: p.boolean(),
    isBackedUp: p.boolean(),
    aaguid: p.text(),
    createdAt: p.datetime().defaultRaw('now()'),
    lastUsedAt: p.datetime().nullable(),
  },
  indexes: [{ name: 'passkeys_user_id_index', properties: ['user'] }],
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
