import { defineEntity, p } from '@mikro-orm/core';

/**
 * How often in a row an authenticator of an account was guessed wrong: from one network, and, where `network` is empty,
 * from all. The subject is SHA-256 of who was meant, whether there is such an account or not.
 */
const GuessCounterSchema = defineEntity({
  name: 'GuessCounter',
  tableName: 'guess_counters',
  properties: {
    authenticator: p.text().primary(),
    subject: p.blob().primary(),
    network: p.text().primary(),
    /** Whether there was such an account at the last guess: its own count then stays until a success. */
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
