import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../users/user.entity.js';

/**
 * A sign-in that is still good, or why it is not. Credentials of either strategy only prove that a client holds
 * one. `id` is not a secret; of the cookie's value only SHA-256 is kept, in `secretHash`.
 */
const SessionSchema = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  properties: {
    id: p.uuid().primary(),
    user: () => p.manyToOne(User).deleteRule('cascade'),
    strategy: p.text(),
    secretHash: p.blob().nullable().unique('sessions_secret_hash_key').hidden().lazy(),
    createdAt: p.datetime().defaultRaw('now()'),
    authenticatedAt: p.datetime().defaultRaw('now()'),
    methods: p.array().columnType('text[]'),
    lastUsedAt: p.datetime().defaultRaw('now()'),
    expiresAt: p.datetime(),
    revokedAt: p.datetime().nullable(),
    revokedReason: p.text().nullable(),
    ip: p.text().nullable(),
    userAgent: p.text().nullable(),
  },
  indexes: [
    { name: 'sessions_user_id_created_at_index', properties: ['user', 'createdAt'] },
    { name: 'sessions_expires_at_index', properties: ['expiresAt'] },
  ],
  checks: [
    { name: 'sessions_expires_after_creation', expression: 'expires_at > created_at' },
    { name: 'sessions_revoked_with_reason', expression: '(revoked_at is null) = (revoked_reason is null)' },
    { name: 'sessions_secret_hash_is_sha256', expression: 'length(secret_hash) = 32' },
  ],
});

export class Session extends SessionSchema.class {}
SessionSchema.setClass(Session);
