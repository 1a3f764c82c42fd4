import { defineEntity, p } from '@mikro-orm/core';
import { TRIGGERS } from '../../database/migrations/20261122150000-many-nodes.migration.js';
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
    /** The kind of credential that it was last given for good: at sign-in, or by an exchange. */
    strategy: p.text(),
    secretHash: p.blob().nullable().unique('sessions_secret_hash_key').hidden().lazy(),
    createdAt: p.datetime().defaultRaw('now()'),
    authenticatedAt: p.datetime().defaultRaw('now()'),
    methods: p.array().columnType('text[]'),
    lastUsedAt: p.datetime().defaultRaw('now()'),
    expiresAt: p.datetime(),
    revokedAt: p.datetime().nullable(),
    revokedReason: p.text().nullable(),
    /** No access token of it lives longer than this; null if there was none. */
    accessExpiresAt: p.datetime().nullable(),
    /** Access tokens issued before are dead. */
    tokensValidFrom: p.datetime().nullable(),
    /** The kind of credential that it is being exchanged for, until the new one is used. */
    exchangeTo: p.text().nullable(),
    exchangeBeganAt: p.datetime().nullable(),
    exchangeNonce: p.blob().nullable().hidden().lazy(),
    /** SHA-256 of the new one, where it is kept here: beside `secretHash` until it takes its place. */
    exchangeHash: p.blob().nullable().hidden().lazy(),
    ip: p.text().nullable(),
    userAgent: p.text().nullable(),
  },
  indexes: [
    { name: 'sessions_user_id_created_at_index', properties: ['user', 'createdAt'] },
    { name: 'sessions_expires_at_index', properties: ['expiresAt'] },
    {
      name: 'sessions_revoked_at_index',
      expression:
        'create index "sessions_revoked_at_index" on "sessions" ("revoked_at") where revoked_at is not null',
    },
    {
      name: 'sessions_not_revoked_index',
      expression:
        'create index "sessions_not_revoked_index" on "sessions" ("user_id", "created_at") where revoked_at is null',
    },
  ],
  uniques: [
    {
      name: 'sessions_exchange_hash_key',
      expression:
        'create unique index "sessions_exchange_hash_key" on "sessions" ("exchange_hash") where exchange_hash is not null',
    },
  ],
  triggers: [
    {
      name: 'sessions_revocation_is_noted',
      timing: 'after',
      events: ['update'],
      expression: TRIGGERS.updated,
    },
    { name: 'sessions_deletion_is_noted', timing: 'after', events: ['delete'], expression: TRIGGERS.deleted },
  ],
  checks: [
    { name: 'sessions_expires_after_creation', expression: 'expires_at > created_at' },
    { name: 'sessions_revoked_with_reason', expression: '(revoked_at is null) = (revoked_reason is null)' },
    { name: 'sessions_exchange_with_nonce', expression: '(exchange_to is null) = (exchange_nonce is null)' },
    { name: 'sessions_exchange_hash_is_sha256', expression: 'length(exchange_hash) = 32' },
    {
      name: 'sessions_exchange_hash_within_exchange',
      expression: '(exchange_hash is null) or (exchange_to is not null)',
    },
    { name: 'sessions_secret_hash_is_sha256', expression: 'length(secret_hash) = 32' },
  ],
});

export class Session extends SessionSchema.class {}
SessionSchema.setClass(Session);
