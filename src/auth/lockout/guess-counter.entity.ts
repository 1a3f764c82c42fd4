import { defineEntity, p } from '@mikro-orm/core';
import type { GuessableAuthenticator } from './guess.js';

/**
 * Consecutive failed guesses at an authenticator of an account: from one network or, if `network` is empty, from all.
 * The subject is SHA-256 of the address, whether the account exists or not.
 */
export const GuessCounterSchema = defineEntity({
  name: 'GuessCounter',
  tableName: 'guess_counters',
  properties: {
    authenticator: p.text().$type<GuessableAuthenticator>().primary(),
    subject: p.blob().$type<Buffer>().primary(),
    network: p.text().primary(),
    /** Whether the account existed at the last guess: then its own counter stays until a success. */
    isAccount: p.boolean(),
    failures: p.integer(),
    lockedUntil: p.datetime().nullable(),
    updatedAt: p.datetime().defaultRaw('now()'),
  },
  indexes: [
    {
      name: 'guess_counters_passing_index',
      expression: `create index "guess_counters_passing_index" on "guess_counters" ("updated_at") where network <> '' or not is_account`,
    },
  ],
  checks: [{ name: 'guess_counters_subject_is_sha256', expression: 'length(subject) = 32' }],
});

export class GuessCounter extends GuessCounterSchema.class {}
GuessCounterSchema.setClass(GuessCounter);
