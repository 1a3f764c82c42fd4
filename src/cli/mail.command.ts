import { randomUUID } from 'node:crypto';
import { type Command, InvalidArgumentError } from 'commander';
import { validate as isUuid } from 'uuid';
import type { Config } from '../../config/load.config.js';
import type { Database } from '../database/database.js';
import { envelopeAddress } from '../mail/mail-address.js';
import { MailTransport, sendFailure } from '../mail/mail-transport.js';
import { findMail, listMails, type MailRecord } from '../mail/outbox-records.js';
import type { MailState } from '../mail/outbox-mail.entity.js';
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

/** `traffy mail`: what is to be sent, was sent, or would have been where there is no mail server. */
export function addMailCommand(program: Command, { config }: CommandContext): void {
  const mail = program.command('mail').description('what is to be sent, and what was');
  mail
    .command('list', { isDefault: true })
    .description(`the newest ${LISTED_MAX} mails, newest first`)
    .addOption(jsonOption())
    .action((options: Output) =>
      withConfigured(config(), (database, given) => list(database, given, options)),
    );
  mail
    .command('show')
    .description('one mail, with its text where there is no mail server')
    .argument('<id>', 'which one', readId)
    .addOption(jsonOption())
    .action((id: string, options: Output) =>
      withConfigured(config(), (database, given) => show(database, given, id, options)),
    );
  mail
    .command('send-test')
    .description('send a mail to an address at once, to see whether SMTP_URL and MAIL_FROM work')
    .argument('<address>', 'where to', readAddress)
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
  // What they say is shown one by one: a list is looked at over shoulders.
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
  if (!mail) throw new CommandProblem('there is no mail with this id');
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
      ? 'It is written when it is sent.'
      : 'It is not written yet: that happens when Traffy serves next.';
  if (state === 'shown') return 'It was encrypted under a secret that AUTH_SECRETS does not have any more.';
  if (state === 'dropped') return 'It was not sent, and what it would have said is not kept.';
  return 'What it says is only kept where there is no mail server.';
}

async function sendTest({ mail, app }: Config, recipient: string, options: Output): Promise<void> {
  const transport = new MailTransport(mail, app);
  if (!transport.isConfigured) throw new CommandProblem('SMTP_URL is not set: there is no mail server');
  const at = new Date();
  const content = {
    subject: 'A test',
    says: [`This mail was sent from the command line of ${app.PUBLIC_URL}. Mails get through.`],
    facts: [['When', at.toISOString()]] as const,
    advice: 'There is nothing to do.',
  };
  try {
    await transport.send(
      { id: randomUUID(), at, recipient, ...renderMail(content) },
      new AbortController().signal,
    );
  } catch (error) {
    throw new CommandProblem(`the mail server did not take it (${sendFailure(error).reason})`);
  }
  print(options, { sent: true }, 'The mail server took it.');
}

function readId(text: string): string {
  if (!isUuid(text)) throw new InvalidArgumentError('It is an id, as traffy mail list shows it.');
  return text;
}

function readAddress(text: string): string {
  if (envelopeAddress(text) === null)
    throw new InvalidArgumentError('It is an address such as ana@example.com.');
  return text;
}
