import { Injectable } from '@nestjs/common';
import { type RawBuilder, sql } from 'kysely';
import type { Columns } from '../platform/database/columns.js';
import { Database } from '../platform/database/database.js';
import type { AuditKind } from './audit-kinds.js';
import type { AuditTables } from './audit.tables.js';
import { cursorOf, readCursor } from './event-cursor.js';

/** An event as recorded. */
export interface AuditRecord {
  readonly id: string;
  readonly kind: AuditKind;
  readonly at: Date;
  readonly userId: string | null;
  /** As in the entity: `user`, `admin:<id>`, `operator`, `service:<client id>` or `system`. */
  readonly actor: string;
  readonly sessionId: string | null;
  readonly ip: string | null;
  readonly userAgent: string | null;
  readonly requestId: string | null;
  readonly details: Readonly<Record<string, unknown>>;
  /** Its place in the chain; null until it is sealed. */
  readonly seq: bigint | null;
}

/** A filter for events; omitted fields match everything. */
export interface AuditFilter {
  readonly userId?: string | undefined;
  readonly kind?: AuditKind | undefined;
  /** Inclusive. */
  readonly since?: Date | undefined;
  /** Exclusive. */
  readonly until?: Date | undefined;
  /** The `nextCursor` of the previous page. */
  readonly cursor?: string | undefined;
  /** Maximum number of events. */
  readonly limit: number;
}

/** A page of events, the newest first. */
export interface AuditPage {
  readonly events: readonly AuditRecord[];
  /** Cursor of the next page; null on the last page. */
  readonly nextCursor: string | null;
}

const COLUMNS = [
  'id',
  'kind',
  'user_id',
  'actor',
  'session_id',
  'ip',
  'user_agent',
  'request_id',
  'details',
  'seq',
] as const;

type EventRow = Columns<AuditTables, 'audit_events', (typeof COLUMNS)[number]> & {
  /** Microseconds since 1970: the precision of cursors, which a `Date` does not have. */
  readonly at_micros: string;
};

/** Reads the audit trail. */
@Injectable()
export class AuditLog {
  constructor(private readonly database: Database) {}

  /**
   * Returns the events that match, the newest first. The cost of a page does not depend on its position.
   *
   * @throws TypeError for an invalid cursor; `eventCursorSchema` checks it before.
   */
  async list({ userId, kind, since, until, cursor, limit }: AuditFilter): Promise<AuditPage> {
    let page = this.database
      .of<AuditTables>()
      .selectFrom('audit_events')
      .select(COLUMNS)
      .select(sql<string>`(extract(epoch from at) * 1000000)::bigint::text`.as('at_micros'))
      .orderBy('at', 'desc')
      .orderBy('id', 'desc')
      .limit(limit + 1);
    if (userId !== undefined) page = page.where('user_id', '=', userId);
    if (kind !== undefined) page = page.where('kind', '=', kind);
    if (since !== undefined) page = page.where('at', '>=', since);
    if (until !== undefined) page = page.where('at', '<', until);
    if (cursor !== undefined) page = page.where(olderThan(cursor));
    const rows = await page.execute();
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    return {
      events: shown.map(toRecord),
      nextCursor: rows.length > limit && last ? cursorOf({ micros: last.at_micros, id: last.id }) : null,
    };
  }
}

function olderThan(cursor: string): RawBuilder<boolean> {
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
    details: row.details,
    seq: row.seq === null ? null : BigInt(row.seq),
  };
}
