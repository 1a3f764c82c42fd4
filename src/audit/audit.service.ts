import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { Database, type Queries } from '../platform/database/database.js';
import type { Client } from '../platform/http/client.decorator.js';
import { clientNetwork } from '../platform/throttle/client-network.js';
import type { AuditTables } from './audit.tables.js';
import type { AuditKind } from './audit-kinds.js';

/** The actor: the owner of the account, an administrator, the command line, a service, or the system. */
export type Actor = 'user' | 'operator' | 'system' | `admin:${string}` | `service:${string}`;

/** An event to record. */
export interface NewAuditEvent {
  readonly kind: AuditKind;
  /** The account that the event concerns; null if none or unknown. */
  readonly userId: string | null;
  /** `user` by default. */
  readonly actor?: Actor;
  readonly sessionId?: string | null;
  /** The client of the request; omitted for the command line and for background work. */
  readonly client?: Client;
  /** Further facts. Never secrets; e-mail addresses only masked. */
  readonly details?: Readonly<Record<string, string | number | boolean | null | readonly string[]>>;
}

/** An attempt that any client can cause; recorded within limits. */
export interface AuditAttempt extends NewAuditEvent {
  readonly client: Client;
  /** The canonical address of the attempt if `userId` is null, whether an account exists or not. */
  readonly email: string | null;
}

/** Maximum length of a recorded text. */
const TEXT_MAX = 512;
/** Attempts per minute, per account or per network without account, that are all recorded. */
const ATTEMPTS_OF_ONE = 10;
/** The same for each partition of the total; a single row would be a bottleneck. */
const ATTEMPTS_OF_PART = 60;
const PARTS = 16;

/**
 * Records an event without an `Audit` instance: for the command line and code that it shares with the nodes.
 *
 * @param queries the transaction of the act.
 */
export async function recordEvent(queries: Queries, event: NewAuditEvent): Promise<void> {
  const { kind, userId, actor = 'user', sessionId = null, client, details = {} } = event;
  await queries
    .of<AuditTables>()
    .insertInto('audit_events')
    .values({
      id: uuidv7(),
      kind,
      user_id: userId,
      actor,
      session_id: sessionId,
      ip: storable(client?.ip),
      user_agent: storable(client?.userAgent),
      request_id: storable(client?.requestId),
      details: sql`${storableJson(details)}::jsonb`,
    })
    .execute();
}

/** The audit trail. Events are recorded in the transaction of their act and never changed. */
@Injectable()
export class Audit {
  constructor(private readonly database: Database) {}

  /** @param queries the transaction of the act; the event is recorded on its own if omitted. */
  record(event: NewAuditEvent, queries: Queries = this.database): Promise<void> {
    return recordEvent(queries, event);
  }

  /**
   * Records an attempt that any client can cause, such as a failed sign-in, without letting clients fill the
   * database. Per account, and per network for unknown accounts, it records the first 10 attempts in a minute and
   * then the 16th, 32nd, 64th …, each with its number; the same applies to the total beyond about 1,000 in a minute.
   * The log has every attempt. The cost does not depend on whether the account exists.
   *
   * Never call it in a transaction: callers that share a counter wait for one another.
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

/** PostgreSQL cannot store NUL and unpaired surrogates, and recording must not fail the act. */
function storable(text: string | null | undefined): string | null {
  if (text === null || text === undefined) return null;
  return text.slice(0, TEXT_MAX).replaceAll('\0', '\ufffd').toWellFormed();
}

function storableJson(details: object): string {
  return JSON.stringify(details, (_name, value: unknown) =>
    typeof value === 'string' ? storable(value) : value,
  );
}
