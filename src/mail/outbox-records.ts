import { type RawBuilder, sql } from 'kysely';
import type { Queries } from '../database/database.js';
import type { MailKind } from './mail-kinds.js';
import type { MailState } from './outbox-mail.entity.js';
import type { RenderedMail } from './render-mail.js';
import { unsealShown } from './shown-mail.js';

/** A mail as an operator sees it. */
export interface MailRecord {
  readonly id: string;
  readonly kind: MailKind;
  readonly state: MailState;
  /** Null where it is only found when it is composed. */
  readonly to: string | null;
  readonly attempts: number;
  readonly created_at: string;
  /** Null for what is not to be sent any more. */
  readonly next_attempt_at: string | null;
  readonly finished_at: string | null;
  /** Codes of the last failure, or why it was dropped. */
  readonly last_error: string | null;
  /** What it says, where it was shown instead of sent; null for all others. */
  readonly content: RenderedMail | null;
}

/** The newest mails, newest first. */
export function listMails(
  queries: Queries,
  secrets: readonly string[],
  limit: number,
): Promise<MailRecord[]> {
  return read(queries, secrets, sql`order by created_at desc, id desc limit ${limit}`);
}

/** One mail; null if there is none. */
export async function findMail(
  queries: Queries,
  secrets: readonly string[],
  id: string,
): Promise<MailRecord | null> {
  const [found] = await read(queries, secrets, sql`where id = ${id}`);
  return found ?? null;
}

async function read(
  queries: Queries,
  secrets: readonly string[],
  which: RawBuilder<unknown>,
): Promise<MailRecord[]> {
  const rows = await queries.query(
    sql<Row>`select id, kind, state, recipient, attempts, created_at, next_attempt_at, finished_at, last_error, rendered
      from outbox_mails ${which}`,
  );
  return rows.map(({ recipient, rendered, ...row }) => ({
    id: row.id,
    kind: row.kind,
    state: row.state,
    to: recipient,
    attempts: row.attempts,
    created_at: isoTime(row.created_at),
    next_attempt_at: row.state === 'waiting' ? isoTime(row.next_attempt_at) : null,
    finished_at: row.finished_at && isoTime(row.finished_at),
    last_error: row.last_error,
    content: rendered && unsealShown(secrets, row.id, rendered),
  }));
}

function isoTime(time: Date | string): string {
  return new Date(time).toISOString();
}

interface Row {
  readonly id: string;
  readonly kind: MailKind;
  readonly state: MailState;
  readonly recipient: string | null;
  readonly attempts: number;
  readonly created_at: Date | string;
  readonly next_attempt_at: Date | string;
  readonly finished_at: Date | string | null;
  readonly last_error: string | null;
  readonly rendered: Uint8Array | null;
}
