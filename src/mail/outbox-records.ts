import type { Columns } from '../platform/database/columns.js';
import type { Queries } from '../platform/database/database.js';
import type { MailKind } from './mail-kinds.js';
import type { MailTables } from './mail.tables.js';
import type { MailState } from './outbox-mail.entity.js';
import type { RenderedMail } from './render-mail.js';
import { unsealShown } from './shown-mail.js';

/** A mail as an operator sees it. */
export interface MailRecord {
  readonly id: string;
  readonly kind: MailKind;
  readonly state: MailState;
  /** Null if the recipient is only found when the mail is composed. */
  readonly to: string | null;
  readonly attempts: number;
  readonly created_at: string;
  /** Null if it will not be sent any more. */
  readonly next_attempt_at: string | null;
  readonly finished_at: string | null;
  /** Codes of the last failure, or the reason of the drop. */
  readonly last_error: string | null;
  /** The content of a mail that was shown instead of sent; null for all others. */
  readonly content: RenderedMail | null;
}

const COLUMNS = [
  'id',
  'kind',
  'state',
  'recipient',
  'attempts',
  'created_at',
  'next_attempt_at',
  'finished_at',
  'last_error',
  'rendered',
] as const;

type Row = Columns<MailTables, 'outbox_mails', (typeof COLUMNS)[number]>;

/** Returns the newest mails, newest first. */
export async function listMails(
  queries: Queries,
  secrets: readonly string[],
  limit: number,
): Promise<MailRecord[]> {
  const rows = await mailsIn(queries)
    .orderBy('created_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute();
  return rows.map((row) => toRecord(row, secrets));
}

/** Returns a mail; null if it does not exist. */
export async function findMail(
  queries: Queries,
  secrets: readonly string[],
  id: string,
): Promise<MailRecord | null> {
  const row = await mailsIn(queries).where('id', '=', id).executeTakeFirst();
  return row ? toRecord(row, secrets) : null;
}

function mailsIn(queries: Queries) {
  return queries.of<MailTables>().selectFrom('outbox_mails').select(COLUMNS);
}

function toRecord({ recipient, rendered, ...row }: Row, secrets: readonly string[]): MailRecord {
  return {
    id: row.id,
    kind: row.kind,
    state: row.state,
    to: recipient,
    attempts: row.attempts,
    created_at: row.created_at.toISOString(),
    next_attempt_at: row.state === 'waiting' ? row.next_attempt_at.toISOString() : null,
    finished_at: row.finished_at && row.finished_at.toISOString(),
    last_error: row.last_error,
    content: rendered && unsealShown(secrets, row.id, rendered),
  };
}
