import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import { validate as isUuid } from 'uuid';
import type { Config } from '../../config/load.config.js';
import type { Database } from '../platform/database/database.js';
import { envelopeAddress } from '../mail/mail-address.js';
import { MailTransport, sendFailure } from '../mail/mail-transport.js';
import { findMail, listMails, type MailRecord } from '../mail/outbox-records.js';
import type { MailState } from '../mail/outbox-mail.entity.js';
import { DEFAULT_LANGUAGE } from '../texts/language.js';
import { renderMail } from '../mail/render-mail.js';
import {
  type CommandContext,
  CommandProblem,
  jsonOption,
  type Output,
  print,
  table,
  withDatabase,
} from './command.js';

const LISTED_MAX = 100;

/**
 * `traffy mail`: the mails in the outbox, the mails sent, and those shown only in the log because SMTP_URL is not
 * set.
 */
export function addMailCommand(program: Command, { config }: CommandContext): void {
  const mail = program.command('mail').description('show the mails that are queued or sent');
  mail
    .command('list', { isDefault: true })
    .description(`list the newest ${LISTED_MAX} mails, newest first`)
    .addOption(jsonOption())
    .action((options: Output) =>
      withConfigured(config(), (database, given) => list(database, given, options)),
    );
  mail
    .command('show')
    .description('show one mail, with its text if SMTP_URL is not set')
    .argument('<id>', 'the id of a mail', readId)
    .addOption(jsonOption())
    .action((id: string, options: Output) =>
      withConfigured(config(), (database, given) => show(database, given, id, options)),
    );
  mail
    .command('send-test')
    .description('send a test mail immediately, to check SMTP_URL and MAIL_FROM')
    .argument('<address>', 'the recipient', readAddress)
    .addOption(jsonOption())
    .action((address: string, options: Output) => sendTest(config(), address, options));
}

function withConfigured(
  config: Config,
  work: (database: Database, config: Config) => Promise<void>,
): Promise<void> {
  return withDatabase(config, (database) => work(database, config));
}

async function list(database: Database, { auth }: Config, options: Output): Promise<void> {
  const mails = await listMails(database, auth.AUTH_SECRETS, LISTED_MAX);
  // The list does not print contents: others may see the screen.
  const data = mails.map(({ content, ...mail }) => ({ ...mail, subject: content?.subject ?? null }));
  const rows = mails.map((mail) => [
    mail.id,
    mail.created_at,
    mail.kind,
    mail.state,
    mail.to ?? '-',
    String(mail.attempts),
    mail.last_error ?? '',
  ]);
  const titles = ['id', 'added', 'kind', 'state', 'to', 'attempts', 'last error'];
  print(options, { mails: data }, rows.length > 0 ? table(titles, rows) : 'There are no mails.');
}

async function show(database: Database, config: Config, id: string, options: Output): Promise<void> {
  const mail = await findMail(database, config.auth.AUTH_SECRETS, id);
  if (!mail) throw new CommandProblem('no mail has this id');
  print(options, mail, describe(mail, config.mail.SMTP_URL !== undefined));
}

function describe({ content, ...mail }: MailRecord, hasServer: boolean): string {
  const about = table(
    ['', ''],
    Object.entries(mail)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, String(value)]),
  ).trimStart();
  if (content) return `${about}\n\n${content.subject}\n\n${content.text.trimEnd()}`;
  return `${about}\n\n${whyNoText(mail.state, hasServer)}`;
}

function whyNoText(state: MailState, hasServer: boolean): string {
  if (state === 'waiting')
    return hasServer
      ? 'Its text is created when it is sent.'
      : 'Its text does not exist yet: a running node creates it.';
  if (state === 'shown') return 'It was encrypted under a secret that is no longer in AUTH_SECRETS.';
  if (state === 'dropped') return 'It was not sent, and its text is not kept.';
  return 'Its text is kept only if SMTP_URL is not set.';
}

async function sendTest({ mail, app, pages }: Config, recipient: string, options: Output): Promise<void> {
  const transport = new MailTransport(mail, app, pages);
  if (!transport.isConfigured) throw new CommandProblem('SMTP_URL is not set');
  const at = new Date();
  const content = {
    language: DEFAULT_LANGUAGE,
    subject: 'Test e-mail',
    says: [`This test was sent from the command line of ${app.PUBLIC_URL}. Mail delivery works.`],
    facts: [['When', at.toISOString()]] as const,
    advice: 'You do not need to do anything.',
  };
  try {
    await transport.send(
      { id: randomUUID(), at, recipient, ...renderMail(content) },
      new AbortController().signal,
    );
  } catch (error) {
    throw new CommandProblem(`the mail server did not accept the mail (${sendFailure(error).reason})`);
  }
  print(options, { sent: true }, 'The mail server accepted the mail.');
}

function readId(text: string): string {
  if (!isUuid(text)) throw new InvalidArgumentError('Expected an id, as listed by traffy mail list.');
  return text;
}

function readAddress(text: string): string {
  if (envelopeAddress(text) === null)
    throw new InvalidArgumentError('Expected an address such as ana@example.com.');
  return text;
}
