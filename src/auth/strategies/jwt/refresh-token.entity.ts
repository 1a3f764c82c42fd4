import { defineEntity, p } from '@mikro-orm/core';
import { Session } from '../../sessions/session.entity.js';

/**
 * One token in the refresh-token lineage of a session. Only SHA-256 of the token is stored. The database allows one
 * head a session: a token that was neither redeemed nor superseded.
 */
export const RefreshTokenSchema = defineEntity({
  name: 'RefreshToken',
  tableName: 'refresh_tokens',
  properties: {
    tokenHash: p.blob().$type<Buffer>().primary(),
    session: () => p.manyToOne(Session).deleteRule('cascade').index(false),
    parentHash: p.blob().$type<Buffer>().nullable(),
    /** The number of the replacement of the parent's first successor: 0 for the first one. */
    attempt: p.integer().default(0),
    issuedAt: p.datetime().defaultRaw('now()'),
    redeemedAt: p.datetime().nullable(),
    supersededAt: p.datetime().nullable(),
    /** When an exchange ended the tokens of its session: it still names the session for a sign-out. */
    withdrawnAt: p.datetime().nullable(),
  },
  indexes: [{ name: 'refresh_tokens_session_id_index', properties: ['session'] }],
  uniques: [
    { name: 'refresh_tokens_parent_hash_attempt_key', properties: ['parentHash', 'attempt'] },
    {
      name: 'refresh_tokens_one_head',
      expression:
        'create unique index "refresh_tokens_one_head" on "refresh_tokens" ("session_id") where redeemed_at is null and superseded_at is null',
    },
  ],
  checks: [{ name: 'refresh_tokens_hash_is_sha256', expression: 'length(token_hash) = 32' }],
});

export class RefreshToken extends RefreshTokenSchema.class {}
RefreshTokenSchema.setClass(RefreshToken);
