import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Queries } from '../database/database.js';
import type { Client } from '../http/client.decorator.js';
import { clientNetwork } from '../throttle/client-network.js';
import type { AuditKind } from './audit-kinds.js';

/** Who did something: the person whose account it is, an administrator, the command line, a service, or the system. */
export type Actor = 'user' | 'operator' | 'system' | `admin:${string}` | `service:${string}`;

/** Something that happened, to be recorded. */
export interface NewAuditEvent {
  readonly kind: AuditKind;
  /** Whose account it concerns; null for none, or one that is unknown. */
  readonly userId: string | null;
  /** `user` by default. */
  readonly actor?: Actor;
  readonly sessionId?: string | null;
  /** Where the request came from; none for the command line and what happens by itself. */
  readonly client?: Client;
  /** What else there is to know. Never a secret, and addresses only masked. */
  readonly details?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
}

/** Something that a stranger tried, to be recorded as far as it is not too much. */
export interface AuditAttempt extends NewAuditEvent {
  readonly client: Client;
  /** Whose account was meant, where `userId` is null: a canonical address, of an account or not. */
  readonly email: string | null;
}

/** Characters of one text that are kept. */
const TEXT_MAX = 512;
/** Attempts in a minute, at one account or at none from one network, that are all recorded. */
const ATTEMPTS_OF_ONE = 10;
/** The same for all together, in each of the parts in which they are counted: one row would be a queue. */
const ATTEMPTS_OF_PART = 60;
const PARTS = 16;

/**
 * Records an event, for what has no `Audit`: the command line, and what it shares with the nodes.
 *
 * @param queries the transaction that does what is recorded.
 */
export async function recordEvent(queries: Queries, event: NewAuditEvent): Promise<void> {
  const { kind, userId, actor = 'user', sessionId = null, client, details = {} } = event;
  await queries.query(
    sql`insert into audit_events (id, kind, user_id, actor, session_id, ip, user_agent, request_id, details)
        values (${uuidv7()}, ${kind}, ${userId}, ${actor}, ${sessionId}, ${storable(client?.ip)},
          ${storable(client?.userAgent)}, ${storable(client?.requestId)}, ${storableJson(details)}::jsonb)`,
  );
}

/** The audit trail: events are recorded in the transaction of what they tell, and never changed. */
@Injectable()
export class Audit {
  constructor(private readonly database: Database) {}

  /** @param queries the transaction that does what is recorded; without one, it is recorded by itself. */
  record(event: NewAuditEvent, queries: Queries = this.database): Promise<void> {
    return recordEvent(queries, event);
  }

  /**
   * Records what strangers can make happen as often as they like, such as a failed sign-in, without letting them fill the
   * database: of one account, and of one network at accounts that do not exist, the first 10 in a minute and then the
   * 16th, 32nd, 64th …, each with its number; so it is with all together, beyond about 1,000 in a minute. The log has
   * every one. It costs the same whether there is such an account or not.
   *
   * Never in a transaction: those that count the same thing wait for one another.
   */
  async recordAttempt(event: AuditAttempt): Promise<void> {
    const { kind, userId, email, actor = 'user', sessionId = null, client, details = {} } = event;
    const network = clientNetwork(client.ip);
    await this.database.query(
      sql`with whose as (
            select coalesce(${userId}::uuid, (select id from users where email_canonical = ${storable(email)})) as user_id
          ), counter as (
            select coalesce(user_id::text, ${network}) as one,
              case when user_id is null then 'unknown/' else 'known/' end
                || (hashtext(coalesce(user_id::text, ${network})) & ${PARTS - 1}::int) as part from whose
          ), counted as (
            insert into audit_counters as c (kind, subject, began_at, count)
              select ${kind}, unnest(array[one, part]), date_trunc('minute', now()), 1 from counter
            on conflict (kind, subject) do update set
              count = case when excluded.began_at > c.began_at then 1 else c.count + 1 end,
              began_at = greatest(excluded.began_at, c.began_at)
            returning subject, count
          ), total as (
            select max(count) filter (where subject = one) as of_one, max(count) filter (where subject = part) as of_part
              from counted, counter
          )
          insert into audit_events (id, kind, user_id, actor, session_id, ip, user_agent, request_id, details)
            select ${uuidv7()}::uuid, ${kind}, user_id, ${actor}, ${sessionId}::uuid, ${storable(client.ip)},
              ${storable(client.userAgent)}, ${storable(client.requestId)}, ${storableJson(details)}::jsonb
              || case when of_one > ${ATTEMPTS_OF_ONE}::int or of_part > ${ATTEMPTS_OF_PART}::int
                  then jsonb_build_object('attempt', of_one, 'attempt_of_all', of_part) else '{}'::jsonb end
            from whose, total
            where case when of_part > ${ATTEMPTS_OF_PART}::int then of_part & (of_part - 1) = 0
              else of_one <= ${ATTEMPTS_OF_ONE}::int or of_one & (of_one - 1) = 0 end`,
    );
  }
}

/** PostgreSQL has no NUL and no unpaired surrogates, and an event must not fail what it records. */
function storable(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return text.slice(0, TEXT_MAX).replaceAll('\0', '\ufffd').toWellFormed();
}

function storableJson(details: object): string {
  return JSON.stringify(details, (_name, value: unknown) =>
    typeof value === 'string' ? storable(value) : value,
  );
}
