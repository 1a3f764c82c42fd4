import { defineEntity, p } from '@mikro-orm/core';
import type { Transport } from '../../platform/http/transport.js';
import { User } from '../../users/user.entity.js';

/**
 * A half sign-in: the second factor is missing. It is no session, so its token gives no access; only its SHA-256 is
 * stored.
 */
export const MfaChallengeSchema = defineEntity({
  name: 'MfaChallenge',
  tableName: 'mfa_challenges',
  properties: {
    tokenHash: p.blob().$type<Buffer>().primary().hidden(),
    user: () => p.manyToOne(User).deleteRule('cascade'),
    /** The verified password hash: a change of the password ends the half sign-in. */
    passwordHash: p.text().nullable().hidden().lazy(),
    /** Methods proved so far: RFC 8176 `amr` values. */
    methods: p.array().columnType('text[]'),
    transport: p.text().$type<Transport>(),
    attempts: p.integer().default(0),
    createdAt: p.datetime().defaultRaw('now()'),
    expiresAt: p.datetime(),
  },
  indexes: [
    { name: 'mfa_challenges_user_id_index', properties: ['user'] },
    { name: 'mfa_challenges_expires_at_index', properties: ['expiresAt'] },
  ],
  checks: [{ name: 'mfa_challenges_hash_is_sha256', expression: 'length(token_hash) = 32' }],
});

export class MfaChallenge extends MfaChallengeSchema.class {}
MfaChallengeSchema.setClass(MfaChallenge);
