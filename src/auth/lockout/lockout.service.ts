import { Inject, Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import type { Logger } from 'pino';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import { LOGGER } from '../../logging/logger.js';
import { clientNetwork } from '../../throttle/client-network.js';
import { maskEmail } from '../../logging/mask-email.js';
import { counterLock, forgetGuesses, subjectOf } from './forget-guesses.js';
import type { Guess, GuessableAuthenticator } from './guess.js';
import {
  ACCOUNT,
  DELAY_MAX,
  GUESSES_MAX,
  NETWORK,
  NETWORK_KNOWN_DAYS,
  RESERVE_PER_NETWORK,
  STRANGERS_MAX,
} from './guess-limits.js';

/** A counter that a guess was added to. */
interface Counted {
  readonly network: string;
  readonly failures: number;
  /** Whether this guess began a lock. */
  readonly locks: boolean;
  readonly user_id: string | null;
}

/** The counter of an account over all networks. */
const EVERYWHERE = '';

/** Counts guesses, over all nodes, and slows them down. */
@Injectable()
export class Lockout {
  constructor(
    private readonly database: Database,
    private readonly audit: Audit,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Counts a guess before it is evaluated, so that of many at once no more are evaluated than the limit allows. One that
   * is not admitted is not counted, and makes no lock longer.
   *
   * @returns false if it must not be evaluated; the answer is then that of a wrong one, at the same cost.
   */
  async admit(guess: Guess): Promise<boolean> {
    const counted = await this.database.query(admission(guess));
    if (counted.length === 0) return false;
    const locks = counted.filter((counter) => counter.locks);
    if (locks.length > 0) await this.tell(guess, locks);
    return true;
  }

  /**
   * Starts counting anew: the guess was right, and completed what it was for.
   *
   * @returns how many were wrong before it.
   */
  async succeed(tx: Queries, { authenticator, email, client }: Guess): Promise<number> {
    const subject = subjectOf(email);
    const rows = await tx.query(
      sql<Counted>`with locked as materialized (select ${counterLock(subject)})
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
   * Takes an admitted guess out of the count: it was right but completed nothing yet (another factor is asked for), or
   * was not evaluated after all. What was wrong before stays counted.
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

  /**
   * Forgets all guesses at one authenticator of an account: a password that was chosen anew by mail. Those at others
   * stay counted, or a mailbox would be enough to guess codes without end.
   */
  async clear(
    tx: Queries,
    emailCanonical: string,
    authenticator: GuessableAuthenticator = 'password',
  ): Promise<void> {
    await forgetGuesses(tx, emailCanonical, authenticator);
  }

  /** Forgets all guesses at an account: an administrator helps its owner, or it is deleted. */
  async clearAll(tx: Queries, emailCanonical: string): Promise<void> {
    await forgetGuesses(tx, emailCanonical, 'all');
  }

  /** Records that a guess began a lock: once a lock, since none begins while there is one. */
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
 * One statement decides and counts. It takes hold of both counters, behind the lock of the account's counters, and
 * adds to both or to none: a guess that one of them refuses is not counted by the other. One that is refused at first sight
 * waits for nobody, or a flood at one account would queue there with all connections there are; it writes the counter of
 * its network without adding to it, so that it takes as long. Guesses that are the first at once see no counter to hold:
 * the conditions of the updates stop these. What was guessed before there was such an account does not count for it: whoever
 * knows which address will sign up shall not lock it beforehand.
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

/** Until when a counter is locked once one more was counted; null below the count from which there are delays. */
function delayFrom(
  { freely, delay }: { readonly freely: number; readonly delay: number },
  failures: RawBuilder<unknown>,
): RawBuilder<unknown> {
  const doublings = sql`least(${failures} + 1 - ${freely}::int, 16)`;
  return sql`case when ${failures} + 1 >= ${freely}::int
    then now() + make_interval(secs => least(${DELAY_MAX}::float8, ${delay}::float8 * power(2, ${doublings}))) end`;
}
