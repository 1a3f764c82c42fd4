import { Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import { Database } from '../database/database.js';
import type { AuditKind } from './audit-kinds.js';
import { cursorOf, readCursor } from './event-cursor.js';

/** An event as it was recorded. */
export interface AuditRecord {
  readonly id: string;
  readonly kind: AuditKind;
  readonly at: Date;
  readonly userId: string | null;
  /** As the entity says: `user`, `admin:<id>`, `operator`, `service:<client id>` or `system`. */
  readonly actor: string;
  readonly sessionId: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
  /** Its place in the chain; null for a moment, until it is sealed. */
  readonly seq: bigint | null;
}

/** Which events are meant; what is left out does not matter. */
export interface AuditFilter {
  readonly userId?: string | undefined;
  readonly kind?: AuditKind | undefined;
  /** From this moment on. */
  readonly since?: Date | undefined;
  /** Before this moment. */
  readonly until?: Date | undefined;
  /** Where the page before ended: its `nextCursor`. */
  readonly cursor?: string | undefined;
  /** How many at most. */
  readonly limit: number;
}

/** Some of the events, the newest first. */
export interface AuditPage {
  readonly events: readonly AuditRecord[];
  /** Asks for the older ones; null where there are none. */
  readonly nextCursor: string | null;
}

interface EventRow {
  id: string;
  kind: AuditKind;
  at_micros: string;
  user_id: string | null;
  actor: string;
  session_id: string | null;
  ip: string | null;
  user_agent: string | null;
  request_id: string | null;
  details: string;
  seq: string | null;
}

/** Reading the audit trail. */
@Injectable()
export class AuditLog {
  constructor(private readonly database: Database) {}

  /**
   * The events that fit, the newest first. A page costs what it holds, however far back it is.
   *
   * @throws TypeError for a cursor that is none: `eventCursorSchema` says so before.
   */
  async list({ userId, kind, since, until, cursor, limit }: AuditFilter): Promise<AuditPage> {
    const conditions: RawBuilder<unknown>[] = [sql`true`];
    if (userId !== undefined) conditions.push(sql`user_id = ${userId}::uuid`);
    if (kind !== undefined) conditions.push(sql`kind = ${kind}`);
    if (since !== undefined) conditions.push(sql`at >= ${since}::timestamptz`);
    if (until !== undefined) conditions.push(sql`at < ${until}::timestamptz`);
    if (cursor !== undefined) conditions.push(olderThan(cursor));
    const rows = await this.database.query(
      sql<EventRow>`select id, kind, (extract(epoch from at) * 1000000)::bigint::text as at_micros, user_id, actor,
          session_id, ip, user_agent, request_id, details::text as details, seq::text as seq
        from audit_events where ${sql.join(conditions, sql` and `)} order by at desc, id desc limit ${limit + 1}`,
    );
    const page = rows.slice(0, limit);
    const last = page.at(-1);
    return {
      events: page.map(toRecord),
      nextCursor: rows.length > limit && last ? cursorOf({ micros: last.at_micros, id: last.id }) : null,
    };
  }
}

function olderThan(cursor: string): RawBuilder<unknown> {
  const place = readCursor(cursor);
  if (!place) throw new TypeError('the cursor was not checked before');
  return sql`(at, id) < ('epoch'::timestamptz + (${place.micros}::text || ' microseconds')::interval, ${place.id}::uuid)`;
}

function toRecord(row: EventRow): AuditRecord {
  return {
    id: row.id,
    kind: row.kind,
    at: new Date(Number(row.at_micros) / 1000),
    userId: row.user_id,
    actor: row.actor,
    sessionId: row.session_id,
    ip: row.ip,
    userAgent: row.user_agent,
    requestId: row.request_id,
    details: JSON.parse(row.details) as Record<string, unknown>,
    seq: row.seq === null ? null : BigInt(row.seq),
  };
}
