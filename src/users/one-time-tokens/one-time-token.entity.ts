import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../user.entity.js';

/**
 * A token that went out by mail, until it is used. Only its SHA-256 is kept. It is good for one purpose, one person and
 * the address that it was sent to.
 */
const OneTimeTokenSchema = defineEntity({
  name: 'OneTimeToken',
  tableName: 'one_time_tokens',
  properties: {
    tokenHash: p.blob().primary().hidden(),
    purpose: p.text(),
    user: () => p.manyToOne(User).deleteRule('cascade'),
    /** The address that it proves, as given. */
    email: p.text(),
    /** The password that comes into force with it; null for none. */
    passwordHash: p.text().nullable().hidden().lazy(),
    /** The session in which it was asked for; null where none is needed for that. */
    sessionId: p.uuid().nullable(),
    createdAt: p.datetime().defaultRaw('now()'),
    expiresAt: p.datetime(),
  },
  indexes: [
    { name: 'one_time_tokens_user_id_purpose_index', properties: ['user', 'purpose'] },
    { name: 'one_time_tokens_expires_at_index', properties: ['expiresAt'] },
  ],
  checks: [
    {
      name: 'one_time_tokens_purpose',
      expression: "purpose = any (array['verify_email'::text, 'change_email'::text, 'reset_password'::text])",
    },
    { name: 'one_time_tokens_hash_is_sha256', expression: 'length(token_hash) = 32' },
  ],
});

export class OneTimeToken extends OneTimeTokenSchema.class {}
OneTimeTokenSchema.setClass(OneTimeToken);
