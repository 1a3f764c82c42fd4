import { defineEntity, p } from '@mikro-orm/core';
import { TRIGGERS } from '../../database/migrations/20261122150000-many-nodes.migration.js';

/**
 * Something that makes credentials die which may be remembered as good: on other nodes, and at other services. Rows
 * of `session` and `credential` are written by triggers on `sessions`, so that no way to end a session can forget it.
 *
 * | kind | dead is |
 * | --- | --- |
 * | `session` | every credential of the session |
 * | `credential` | what was remembered of the session (without one, of the user); its access tokens issued before `issued_before` |
 * | `user`, `all` | every session that was made before `issued_before`: of the user, of everybody |
 * | `key` | every access token of a signing key that was revoked |
 */
const RevocationSchema = defineEntity({
  name: 'Revocation',
  tableName: 'revocations',
  properties: {
    seq: p.bigint('bigint').primary(),
    /** The transaction that wrote it: rows of one that commits late are found by it. */
    xact: p.bigint('bigint').defaultRaw('((pg_current_xact_id())::text)::bigint'),
    kind: p.text(),
    sessionId: p.uuid().nullable(),
    userId: p.uuid().nullable(),
    issuedBefore: p.datetime().nullable(),
    /** When the last access token that it concerns runs out; null if there is none. */
    tokensExpireAt: p.datetime().nullable(),
    createdAt: p.datetime().defaultRaw('now()'),
    /** When the row may go. */
    expiresAt: p.datetime(),
  },
  indexes: [
    { name: 'revocations_xact_index', properties: ['xact'] },
    { name: 'revocations_expires_at_index', properties: ['expiresAt'] },
    {
      name: 'revocations_cut_off_index',
      expression:
        'create index "revocations_cut_off_index" on "revocations" ("user_id") where kind = any (array[\'user\'::text, \'all\'::text])',
    },
  ],
  triggers: [
    {
      name: 'revocations_are_told',
      timing: 'after',
      events: ['insert'],
      forEach: 'statement',
      expression: TRIGGERS.told,
    },
  ],
  checks: [
    {
      name: 'revocations_kind',
      expression:
        "kind = any (array['session'::text, 'credential'::text, 'user'::text, 'all'::text, 'key'::text])",
    },
  ],
});

export class Revocation extends RevocationSchema.class {}
RevocationSchema.setClass(Revocation);
