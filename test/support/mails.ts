import { createHmac } from 'node:crypto';
import { sql } from 'kysely';
import { MailDelivery } from '../../src/mail/mail-delivery.service.js';
import { type MailKind } from '../../src/mail/mail-kinds.js';
import type { MailState } from '../../src/mail/outbox-mail.entity.js';
import { Outbox, type NewMail } from '../../src/mail/outbox.service.js';
import { type TestApp } from './app.js';
import { until } from './process.js';

/** Kinds with a link. Their composers belong to other features; here they get simple ones. */
const WITH_TOKEN: readonly MailKind[] = ['verify_email', 'change_email', 'reset_password'];

export function part<T>(app: TestApp, type: new (...parts: never[]) => T): T {
  return app.running.app.get<T>(type, { strict: false });
}

/** Adds a mail in a transaction, and gives its id. */
export async function add(app: TestApp, mail: Partial<NewMail> & { recipient: string }): Promise<string> {
  return app.running.database.database.transaction(async (tx) => {
    await part(app, Outbox).add(tx, { kind: 'password_changed', userId: null, ...mail });
    const [row] = await tx.query(
      sql<{
        id: string;
      }>`select id from outbox_mails where recipient = ${mail.recipient} order by id desc limit 1`,
    );
    return row?.id ?? '';
  });
}

interface Row {
  readonly state: MailState;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly wait: number;
  readonly rendered: Uint8Array | null;
}

export async function rowOf(app: TestApp, id: string): Promise<Row | undefined> {
  const [row] = await app.running.database.database.query(
    sql<Row>`select state, attempts, last_error, rendered, extract(epoch from next_attempt_at - now())::float as wait
      from outbox_mails where id = ${id}`,
  );
  return row;
}

/** Waits until a mail is as a look wants it. */
export function becomes(app: TestApp, id: string, look: (row: Row) => boolean): Promise<Row> {
  return until(async () => {
    const row = await rowOf(app, id);
    return row && look(row) ? row : undefined;
  });
}

export const isState = (state: MailState) => (row: Row) => row.state === state;

/** Makes a mail due now, as if the time of its next attempt had come. */
export async function hurry(app: TestApp, id: string): Promise<void> {
  await app.query(sql`update outbox_mails set next_attempt_at = now() where id = ${id}`);
  await part(app, MailDelivery).sendDue();
}

export function tokenOf(nonce: Buffer): string {
  return createHmac('sha256', nonce).update('token').digest('base64url');
}

export function composeTokens(app: TestApp): void {
  for (const kind of WITH_TOKEN)
    part(app, Outbox).composeWith(kind, async (_tx, { recipient, params, nonce }) =>
      recipient === null ? null : { recipient, params: { ...params, token: tokenOf(nonce) } },
    );
}
