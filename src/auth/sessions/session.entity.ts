import { defineEntity, p } from '@mikro-orm/core';
import type { StrategyName } from '../../../config/auth.config.js';
import { User } from '../../users/user.entity.js';
import { SESSION_TRIGGERS } from './session.triggers.js';

/**
 * A session, live or ended with a reason. Credentials of all strategies only prove that a client holds one. `id` is
 * not secret; of the cookie value only SHA-256 is stored, in `secretHash`.
 */
export const SessionSchema = defineEntity({
  name: 'Session',
  tableName: 'sessions',
  properties: {
    id: p.uuid().primary(),
    user: () => p.manyToOne(User).deleteRule('cascade'),
    /** The kind of its credential: of the sign-in, or of the last completed exchange. */
    strategy: p.text().$type<StrategyName>(),
    secretHash: p.blob().$type<Buffer>().nullable().unique('sessions_secret_hash_key').hidden().lazy(),
    createdAt: p.datetime().defaultRaw('now()'),
    authenticatedAt: p.datetime().defaultRaw('now()'),
    methods: p.array().columnType('text[]'),
    lastUsedAt: p.datetime().defaultRaw('now()'),
    expiresAt: p.datetime(),
    revokedAt: p.datetime().nullable(),
    revokedReason: p.text().nullable(),
    /** The latest expiry of its access tokens; null if it had none. */
    accessExpiresAt: p.datetime().nullable(),
    /** Access tokens issued before this time are revoked. */
    tokensValidFrom: p.datetime().nullable(),
    /** The kind of credential of its pending exchange. */
    exchangeTo: p.text().$type<StrategyName>().nullable(),
    exchangeBeganAt: p.datetime().nullable(),
    exchangeNonce: p.blob().$type<Buffer>().nullable().hidden().lazy(),
    /** SHA-256 of the new cookie value during an exchange, until it replaces `secretHash`. */
    exchangeHash: p.blob().$type<Buffer>().nullable().hidden().lazy(),
    /** SHA-256 of the last eight cookie values that were replaced, the newest first: written by a trigger. */
    formerHashes: p.array().columnType('bytea[]').$type<Buffer[]>().defaultRaw("'{}'").hidden().lazy(),
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
      name: 'sessions_former_hashes_index',
      expression:
        'create index "sessions_former_hashes_index" on "sessions" using gin ("former_hashes") where former_hashes <> \'{}\'',
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
      name: 'sessions_former_hashes_are_kept',
      timing: 'before',
      events: ['update'],
      expression: SESSION_TRIGGERS.sessions_former_hashes_are_kept,
    },
    {
      name: 'sessions_revocation_is_noted',
      timing: 'after',
      events: ['update'],
      expression: SESSION_TRIGGERS.sessions_revocation_is_noted,
    },
    {
      name: 'sessions_deletion_is_noted',
      timing: 'after',
      events: ['delete'],
      expression: SESSION_TRIGGERS.sessions_deletion_is_noted,
    },
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
