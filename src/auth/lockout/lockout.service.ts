import { Inject, Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import type { Logger } from 'pino';
import { Audit } from '../../audit/audit.service.js';
import type { Columns } from '../../platform/database/columns.js';
import { Database, type Queries } from '../../platform/database/database.js';
import { LOGGER } from '../../platform/logging/logger.js';
import { clientNetwork } from '../../platform/throttle/client-network.js';
import { maskEmail } from '../../platform/logging/mask-email.js';
import { counterLock, subjectOf } from './clear-guesses.js';
import type { Guess } from './guess.js';
import {
  ACCOUNT,
  DELAY_MAX,
  GUESSES_MAX,
  NETWORK,
  NETWORK_KNOWN_DAYS,
  RESERVE_PER_NETWORK,
  STRANGERS_MAX,
} from './guess-limits.js';
import type { LockoutTables } from './lockout.tables.js';

/** A counter to which a guess was added. */
type Counted = Counter & {
  /** Whether this guess started a lock. */
  readonly locks: boolean;
  readonly user_id: string | null;
};

type Counter = Columns<LockoutTables, 'guess_counters', 'network' | 'failures'>;

/** The counter of an account across all networks. */
const EVERYWHERE = '';

/** Counts guesses across all nodes and delays them. */
@Injectable()
export class Lockout {
  constructor(
    private readonly database: Database,
    private readonly audit: Audit,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Counts a guess before it is evaluated, so that concurrent guesses cannot exceed the limit. A guess that is not
   * admitted is not counted and extends no lock.
   *
   * @returns false if it must not be evaluated; answer it like a wrong guess, with the same cost.
   */
  async admit(guess: Guess): Promise<boolean> {
    const counted = await this.database.query(admission(guess));
    if (counted.length === 0) return false;
    const locks = counted.filter((counter) => counter.locks);
    if (locks.length > 0) await this.tell(guess, locks);
    return true;
  }

  /**
   * Resets the counters: the guess was correct and completed its purpose.
   *
   * @returns the number of failed guesses before it.
   */
  async succeed(tx: Queries, { authenticator, email, client }: Guess): Promise<number> {
    const subject = subjectOf(email);
    const rows = await tx.query(
      sql<Counter>`with locked as materialized (select ${counterLock(subject)})
          delete from guess_counters where (authenticator, subject, network) in (
            select authenticator, subject, network from guess_counters
            where authenticator = ${authenticator} and subject = ${subject}
              and network in (${EVERYWHERE}, ${clientNetwork(client.ip)}) and exists (select 1 from locked)
            order by network desc for update)
          returning network, failures`,
    );
    const failures = rows.find(({ network }) => network === EVERYWHERE)?.failures ?? 0;
    return Math.max(0, failures - 1);
  }

  /**
   * Removes an admitted guess from the counters: it was correct but completed nothing yet (another factor is
   * required), or it was not evaluated. Earlier failures stay counted.
   */
  async release({ authenticator, email, client }: Guess): Promise<void> {
    const freely = sql`case when c.network = ${EVERYWHERE} then ${ACCOUNT.freely}::int else ${NETWORK.freely}::int end`;
    const subject = subjectOf(email);
    await this.database.query(
      sql`with locked as materialized (select ${counterLock(subject)})
          update guess_counters c set failures = c.failures - 1,
            locked_until = case when c.failures - 1 >= ${freely} then c.locked_until end
          from (select network from guess_counters
                where authenticator = ${authenticator} and subject = ${subject} and failures > 0
                  and network in (${EVERYWHERE}, ${clientNetwork(client.ip)}) and exists (select 1 from locked)
                order by network desc for update) as held
          where c.authenticator = ${authenticator} and c.subject = ${subject} and c.network = held.network`,
    );
  }

  /** Records the start of a lock, once for each lock: none starts during another. */
  private async tell({ authenticator, email, client }: Guess, locks: readonly Counted[]): Promise<void> {
    const [{ user_id: userId } = { user_id: null }] = locks;
    const details = {
      authenticator,
      locked: locks.map(({ network }) => (network === EVERYWHERE ? 'account' : 'network')),
      failures: Math.max(...locks.map(({ failures }) => failures)),
      email: maskEmail(email),
    };
    await this.audit.recordAttempt({ kind: 'authenticator_locked', userId, email, client, details });
    this.logger.warn({
      event: 'authenticator_locked',
      request_id: client.requestId,
      ip: client.ip,
      user: userId,
      ...details,
    });
  }
}

/**
 * One statement decides and counts. It locks both counters, after the lock of the account's counters, and increments
 * both or none: a guess refused by one is not counted by the other. A guess refused on first read waits for no lock,
 * or a flood at one account would block all connections. It still writes the counter of its network without adding to
 * it, for the same duration. Concurrent first guesses find no rows to lock; the conditions of the updates stop them.
 * Guesses before the account existed do not count: an attacker must not be able to lock an address before its owner
 * signs up.
 */
function admission({ authenticator, email, client }: Guess): RawBuilder<Counted> {
  const subject = subjectOf(email);
  const network = clientNetwork(client.ip);
  const isOfToday = sql`(c.is_account or not exists (select 1 from person))`;
  const failures = sql`(case when ${isOfToday} then c.failures else 0 end)`;
  const lockedUntil = sql`(case when ${isOfToday} then c.locked_until end)`;
  const isNetworkOpen = sql`coalesce(${lockedUntil} <= now(), true)`;
  const isAccountOpen = sql`case when (select is_known from whence) then ${failures} < ${GUESSES_MAX}::int
      else ${failures} < ${STRANGERS_MAX}::int and ${isNetworkOpen} end`;
  const areOpen = sql`coalesce(bool_and(case when c.network = ${EVERYWHERE} then ${isAccountOpen} else ${isNetworkOpen} end), true)
    and not coalesce(
      bool_or(c.network = ${EVERYWHERE} and ${failures} >= ${STRANGERS_MAX}::int)
        and bool_or(c.network <> ${EVERYWHERE} and ${failures} >= ${RESERVE_PER_NETWORK}::int), false)`;
  const counters = sql`guess_counters c where c.authenticator = ${authenticator} and c.subject = ${subject}
      and c.network in (${EVERYWHERE}, ${network})`;
  const begins = sql`c.locked_until > now()
    and not exists (select 1 from held h where h.network = c.network and h.locked_until > now())`;
  return sql<Counted>`with person as (
      select id from users where email_canonical = ${email}
    ), whence as (
      select exists (select 1 from known_devices
        where user_id = (select id from person) and network = ${network}
          and last_seen_at > now() - make_interval(days => ${NETWORK_KNOWN_DAYS})) as is_known
    ), sight as (
      select ${areOpen} as is_open from ${counters}
    ), locked as materialized (
      select ${counterLock(subject)} from sight where is_open
    ), held as materialized (
      select c.* from ${counters} and exists (select 1 from locked) order by c.network desc for update
    ), verdict as (
      select (select is_open from sight) and ${areOpen} as is_admitted from held c
    ), here as (
      insert into guess_counters as c (authenticator, subject, network, is_account, failures, updated_at)
      select ${authenticator}, ${subject}, ${network}, exists (select 1 from person), is_admitted::int, now() from verdict
      on conflict (authenticator, subject, network) do update set
        failures = ${failures} + excluded.failures,
        is_account = excluded.is_account,
        updated_at = case when excluded.failures = 0 then c.updated_at else now() end,
        locked_until = case when excluded.failures = 0 then ${lockedUntil} else ${delayFrom(NETWORK, failures)} end
      where excluded.failures = 0 or ${isNetworkOpen}
      returning network, failures, ${begins} as locks
    ), everywhere as (
      insert into guess_counters as c (authenticator, subject, network, is_account, failures, updated_at)
      select ${authenticator}, ${subject}, ${EVERYWHERE}, exists (select 1 from person), 1, now() from here, verdict
      where verdict.is_admitted
      on conflict (authenticator, subject, network) do update set
        failures = ${failures} + 1,
        is_account = excluded.is_account,
        updated_at = now(),
        locked_until = case when ${lockedUntil} > now() then ${lockedUntil} else ${delayFrom(ACCOUNT, failures)} end
      where ${isAccountOpen}
      returning network, failures, ${begins} as locks
    )
    select counted.*, (select id from person) as user_id
    from (select * from here union all select * from everywhere) as counted where exists (select 1 from everywhere)`;
}

/** Until when a counter is locked after one more guess; null below the first delayed count. */
function delayFrom(
  { freely, delay }: { readonly freely: number; readonly delay: number },
  failures: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const doublings = sql`least(${failures} + 1 - ${freely}::int, 16)`;
  return sql`case when ${failures} + 1 >= ${freely}::int
    then now() + make_interval(secs => least(${DELAY_MAX}::float8, ${delay}::float8 * power(2, ${doublings}))) end`;
}
