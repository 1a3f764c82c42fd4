import { defineEntity, p } from '@mikro-orm/core';
import { REVOCATION_TRIGGERS } from './revocation.triggers.js';

/** What a revocation ends: see the table below. */
export type RevocationKind = 'session' | 'credential' | 'user' | 'all' | 'key';

/**
 * A revocation of credentials that may be cached on other nodes or at other services. Triggers on `sessions` write
 * the rows of `session` and `credential`, so that no way to end a session can omit them.
 *
 * | kind | what is revoked |
 * | --- | --- |
 * | `session` | every credential of the session |
 * | `credential` | cached verdicts of the session (without one, of the user); its access tokens issued before `issued_before` |
 * | `user`, `all` | every session created before `issued_before`: of the user, of all users |
 * | `key` | every access token of a revoked signing key |
 */
export const RevocationSchema = defineEntity({
  name: 'Revocation',
  tableName: 'revocations',
  properties: {
    seq: p.bigint('number').primary().autoincrement(),
    /** The transaction that wrote it: finds rows that commit late. */
    xact: p.bigint('number').defaultRaw('((pg_current_xact_id())::text)::bigint'),
    kind: p.text().$type<RevocationKind>(),
    sessionId: p.uuid().nullable(),
    userId: p.uuid().nullable(),
    issuedBefore: p.datetime().nullable(),
    /** When the last access token that it concerns expires; null if there are no such tokens. */
    tokensExpireAt: p.datetime().nullable(),
    createdAt: p.datetime().defaultRaw('now()'),
    /** When the row can be purged. */
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
      expression: REVOCATION_TRIGGERS.revocations_are_told,
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
