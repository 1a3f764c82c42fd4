import { defineEntity, p } from '@mikro-orm/core';
import { ACCOUNT_TRIGGERS } from '../database/migrations/20261122200000-accounts.migration.js';

/** A person with an account. `email` is shown as it was given; `emailCanonical` is what makes it unique. */
const UserSchema = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    email: p.text().check('char_length(email) >= 3 and char_length(email) <= 320'),
    emailCanonical: p.text().unique('users_email_canonical_key'),
    /** null for somebody who has none, such as who was imported without. */
    passwordHash: p.text().nullable().hidden().lazy(),
    /** What they want to be called. */
    name: p.text().nullable().check('char_length(name) <= 100'),
    /** When they proved that the address is theirs; null if they did not. */
    emailVerifiedAt: p.datetime().nullable(),
    role: p.text().default('user'),
    /** Since when they may not sign in; null if they may. */
    disabledAt: p.datetime().nullable(),
    /** Since when the password counts as known to others: it opens nothing until it is changed. */
    passwordCompromisedAt: p.datetime().nullable(),
    /** The WebAuthn user handle: 64 random bytes. */
    webauthnHandle: p.blob().nullable().unique('users_webauthn_handle_key').hidden().lazy(),
    createdAt: p.datetime().defaultRaw('now()'),
    updatedAt: p.datetime().defaultRaw('now()'),
  },
  indexes: [
    {
      name: 'users_email_canonical_prefix_index',
      expression:
        'create index "users_email_canonical_prefix_index" on "users" ("email_canonical" text_pattern_ops)',
    },
  ],
  triggers: [
    {
      name: 'users_change_is_noted',
      timing: 'after',
      events: ['update'],
      expression: ACCOUNT_TRIGGERS.userChanged,
    },
  ],
  checks: [
    { name: 'users_role', expression: "role = any (array['user'::text, 'admin'::text])" },
    { name: 'users_webauthn_handle_is_64_bytes', expression: 'length(webauthn_handle) = 64' },
  ],
});

export class User extends UserSchema.class {}
UserSchema.setClass(User);
