import { sql } from 'kysely';
import type { MailKind } from '../../src/mail/mail-kinds.js';
import { unsealShown } from '../../src/mail/shown-mail.js';
import type { TestApp } from './app.js';

/** A mail as its reader sees it. */
export interface ReadMail {
  readonly id: string;
  readonly kind: MailKind;
  readonly recipient: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** What it says to open; empty where there is nothing. */
  readonly link: string;
  /** The token in the fragment of the link; empty if there is none. */
  readonly token: string;
  /** The token as a text to type; empty if there is none. */
  readonly code: string;
}

interface Row {
  id: string;
  kind: MailKind;
  recipient: string;
  rendered: Buffer;
}

const PATIENCE = 15_000;

/** Waits until every mail that was added is shown, or dropped: where there is no mail server. */
export async function mailsQueued(app: TestApp): Promise<void> {
  const until = Date.now() + PATIENCE;
  for (;;) {
    const [row] = await app.running.database.database.query(
      sql<{ waiting: number }>`select count(*)::int as waiting from outbox_mails where state = 'waiting'`,
    );
    if (row?.waiting === 0) return;
    if (Date.now() > until) throw new Error(`${row?.waiting} mails are still waiting`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** All mails, the newest first, once none is under way any more. */
export async function allMails(app: TestApp): Promise<ReadMail[]> {
  await mailsQueued(app);
  const rows = await app.running.database.database.query(
    sql<Row>`select id, kind, recipient, rendered from outbox_mails where state = 'shown' order by created_at desc, id desc`,
  );
  return rows.map(({ id, kind, recipient, rendered }) => {
    const mail = unsealShown(app.config.auth.AUTH_SECRETS, id, rendered);
    if (!mail) throw new Error('the mail was shown under another secret');
    const [link = ''] = /^https?:\S+#\S+$/m.exec(mail.text) ?? [];
    const token = decodeURIComponent(link.split('#token=')[1] ?? '');
    const [code = ''] = /^[0-9A-Z]{4}(?:-[0-9A-Z]{4})+$/m.exec(mail.text) ?? [];
    return { id, kind, recipient, ...mail, link, token, code };
  });
}

/** The mails to an address, the newest first. */
export async function mailsTo(app: TestApp, address: string, kind?: MailKind): Promise<ReadMail[]> {
  const mails = await allMails(app);
  return mails.filter((mail) => mail.recipient === address && (kind === undefined || mail.kind === kind));
}

/** The newest mail of a kind to an address. */
export async function mailTo(app: TestApp, address: string, kind: MailKind): Promise<ReadMail> {
  const [mail] = await mailsTo(app, address, kind);
  if (!mail) throw new Error(`no mail ${kind} to ${address}`);
  return mail;
}
