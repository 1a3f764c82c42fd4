import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../user.entity.js';

/** The purpose of a mailed token. */
export type TokenPurpose = 'verify_email' | 'change_email' | 'reset_password';

/**
 * A mailed token, until it is consumed. Only its SHA-256 is stored. It is valid for one purpose, one user and the
 * address that it was sent to.
 */
export const OneTimeTokenSchema = defineEntity({
  name: 'OneTimeToken',
  tableName: 'one_time_tokens',
  properties: {
    tokenHash: p.blob().$type<Buffer>().primary().hidden(),
    purpose: p.text().$type<TokenPurpose>(),
    user: () => p.manyToOne(User).deleteRule('cascade'),
    /** The address that it proves, as given. */
    email: p.text(),
    /** The password that it activates; null for none. */
    passwordHash: p.text().nullable().hidden().lazy(),
    /** The session that requested it; null if none was needed. */
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
