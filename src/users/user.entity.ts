import { defineEntity, p } from '@mikro-orm/core';
import type { Role } from '../platform/http/access.decorators.js';
import { USER_TRIGGERS } from './user.triggers.js';

/** A user. `email` is shown as given; `emailCanonical` is unique. */
export const UserSchema = defineEntity({
  name: 'User',
  tableName: 'users',
  properties: {
    id: p.uuid().primary(),
    email: p.text().check('char_length(email) >= 3 and char_length(email) <= 320'),
    emailCanonical: p.text().unique('users_email_canonical_key'),
    /** null without a password, as for some imported users. */
    passwordHash: p.text().nullable().hidden().lazy(),
    /** The name that the user chose. */
    name: p.text().nullable().check('char_length(name) <= 100'),
    /** When the user verified the address; null if never. */
    emailVerifiedAt: p.datetime().nullable(),
    role: p.text().$type<Role>().default('user'),
    /** Since when the account is disabled; null if it is not. */
    disabledAt: p.datetime().nullable(),
    /** Since when the password is marked as compromised: it is refused until it is changed. */
    passwordCompromisedAt: p.datetime().nullable(),
    /** The WebAuthn user handle: 64 random bytes. */
    webauthnHandle: p.blob().$type<Buffer>().nullable().unique('users_webauthn_handle_key').hidden().lazy(),
    /** The language of mails and pages (ISO 639-1); null for the default. */
    language: p.text().nullable(),
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
      expression: USER_TRIGGERS.users_change_is_noted,
    },
  ],
  checks: [
    { name: 'users_role', expression: "role = any (array['user'::text, 'admin'::text])" },
    { name: 'users_language', expression: "language ~ '^[a-z]{2}$'" },
    { name: 'users_webauthn_handle_is_64_bytes', expression: 'length(webauthn_handle) = 64' },
  ],
});

export class User extends UserSchema.class {}
UserSchema.setClass(User);
