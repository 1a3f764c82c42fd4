import { sql } from 'kysely';
import { OldRows } from '../../sweep/old-rows.js';

/** Hours after the last guess: far longer than the longest delay, so that leaving a lock to be swept gains nothing. */
const KEPT_HOURS = 24;

/**
 * Counters that have served: those of networks, and those of addresses that nobody has, which anybody could make without
 * end. What is counted of an account stays until a success: guesses in a row are not forgotten because they are slow.
 */
export const oldGuessCounters = () =>
  new OldRows({
    table: 'guess_counters',
    key: ['authenticator', 'subject', 'network'],
    by: 'updated_at',
    isOver: sql`(network <> '' or not is_account) and updated_at < now() - make_interval(hours => ${KEPT_HOURS})`,
  });
