import { sql } from 'kysely';
import { ExpiredRows } from '../../platform/retention/expired-rows.js';
import type { LockoutTables } from './lockout.tables.js';

/**
 * Hours after the last guess: far longer than the longest delay, so that waiting for the purge of a lock gains
 * nothing.
 */
const KEPT_HOURS = 24;

/**
 * Counters to purge: those of networks, and those of addresses without an account, which attackers could create
 * without limit. An account's own counter stays until a success: slow consecutive guesses still count.
 */
export const expiredGuessCounters = () =>
  new ExpiredRows<LockoutTables>({
    table: 'guess_counters',
    key: ['authenticator', 'subject', 'network'],
    by: 'updated_at',
    isOver: sql`(network <> '' or not is_account) and updated_at < now() - make_interval(hours => ${KEPT_HOURS})`,
  });
