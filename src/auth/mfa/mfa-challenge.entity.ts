import { defineEntity, p } from '@mikro-orm/core';
import { User } from '../../users/user.entity.js';

/** A sign-in that lacks a second factor. It is no session, so its token opens nothing; only its SHA-256 is kept. */
const MfaChallengeSchema = defineEntity({
  name: 'MfaChallenge',
  tableName: 'mfa_challenges',
  properties: {
    tokenHash: p.blob().primary().hidden(),
    user: () => p.manyToOne(User).deleteRule('cascade'),
    /** The password that was verified, so that one that is changed meanwhile ends it. */
    passwordHash: p.text().nullable().hidden().lazy(),
    /** What was proved so far: RFC 8176 `amr` values. */
    methods: p.array().columnType('text[]'),
    transport: p.text(),
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
