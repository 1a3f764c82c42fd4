import { readableUserAgent } from '../http/user-agent.js';
import type { MailKind } from './mail-kinds.js';
import type { MailParams } from './outbox.service.js';

/** What a mail says, before it becomes text or HTML. All of it is text. */
export interface MailContent {
  readonly subject: string;
  readonly says: readonly string[];
  /** What to open; always under PUBLIC_URL. */
  readonly link?: string;
  /** What is known of the request: a label and a text. */
  readonly facts: readonly (readonly [label: string, text: string])[];
  /** What to do if it was somebody else. */
  readonly advice: string;
}

/** What the content is made from. */
export interface ContentSource {
  readonly kind: MailKind;
  readonly params: MailParams;
  readonly at: Date;
  /** The origin of every link. */
  readonly publicUrl: string;
}

type Told = Pick<MailContent, 'subject' | 'says' | 'advice'> & { readonly page?: string };

const TEXT_MAX = 80;
const ADDRESS_MAX = 254;
const FACTORS: MailParams = { passkey: 'a passkey', totp: 'an authenticator app' };

/** Fills in what a kind of mail says. */
export function contentOf({ kind, params, at, publicUrl }: ContentSource): MailContent {
  const { page, ...told } = CONTENTS[kind](params, publicUrl);
  const link = page === undefined ? undefined : linkTo(publicUrl, page, params);
  return { ...told, ...(link !== undefined && { link }), facts: factsOf(params, at) };
}

/**
 * A text that others chose, as it may stand in a mail: one short line in which no mail program finds an address or a link to
 * offer, because whoever signs in chooses what their browser is called.
 */
export function harmless(text: string): string {
  return text
    .replace(/[^\p{L}\p{N} ()/;:,_+.-]+/gu, ' ')
    .replace(/:?\/\/+/g, ' ')
    .replace(/\.(?=\p{L})/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
    .slice(0, TEXT_MAX);
}

/**
 * Where a mail leads: what its composer gave, or the page of its kind with the token. That one stands in the fragment, which no
 * browser sends: no server log, proxy or referrer gets to know it.
 */
function linkTo(publicUrl: string, page: string, { link, token }: MailParams): string {
  if (link?.startsWith(`${publicUrl}/`) && /^[!-~]+$/.test(link)) return link;
  if (!token) throw new TypeError(`a mail with a link to ${page} needs a token`);
  return `${publicUrl}/account/${page}#token=${encodeURIComponent(token)}`;
}

function factsOf({ ip, user_agent: userAgent }: MailParams, at: Date): [string, string][] {
  const facts: [string, string][] = [['When', `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`]];
  if (ip) facts.push(['From the address', harmless(ip)]);
  if (userAgent) facts.push(['With', harmless(readableUserAgent(userAgent) ?? userAgent)]);
  return facts;
}

const IGNORE = 'If this was not you, ignore this mail: as long as nobody opens the link, nothing changes.';

function secureIt(publicUrl: string): string {
  return `If this was not you, somebody may have access to your account. Choose another password at once at ${publicUrl} and end all other sessions there. Whoever has the password may be reading your mail too: check that account as well.`;
}

/** Every kind, from its parameters and where the service is reached. */
const CONTENTS: Readonly<Record<MailKind, (params: MailParams, publicUrl: string) => Told>> = {
  verify_email: (_, url) => ({
    subject: 'Confirm your e-mail address',
    says: [
      `This e-mail address was given for an account at ${url}.`,
      'If you made that account yourself, open this link to confirm the address. It works once, and only for some time.',
    ],
    page: 'verify-email',
    advice:
      'If you did not make it, do not open the link: it would confirm the account of somebody else. Without it, nothing happens.',
  }),
  change_email: (_, url) => ({
    subject: 'Confirm your new e-mail address',
    says: [
      `This is to become the e-mail address of an account at ${url}.`,
      'If you asked for that, open this link to confirm it. It works once, and only for some time.',
    ],
    page: 'change-email',
    advice: IGNORE,
  }),
  reset_password: (_, url) => ({
    subject: 'Choose another password',
    says: [
      `Another password was asked for, for your account at ${url}.`,
      'Open this link to choose one. It works once, and only for a short time.',
    ],
    page: 'reset-password',
    advice: IGNORE,
  }),
  signup_attempt: (_, url) => ({
    subject: 'You already have an account',
    says: [
      `Somebody tried to make an account at ${url} with this e-mail address. It has one already, and nothing was changed.`,
      'If it was you, sign in. If you do not know your password any more, ask for another one there.',
    ],
    advice: 'If this was not you, there is nothing to do.',
  }),
  password_changed: (_, url) => ({
    subject: 'Your password was changed',
    says: [`The password of your account at ${url} was changed.`],
    advice: secureIt(url),
  }),
  email_changed: (params, url) => ({
    subject: 'Your e-mail address was changed',
    says: [
      `The e-mail address of your account at ${url} was changed${newAddress(params)}.`,
      'From now on mails go there, and you sign in with the new address.',
    ],
    advice: `If this was not you, somebody has access to your account. Ask whoever runs ${url} for help: this address can no longer be used to choose another password.`,
  }),
  email_change_requested: (params, url) => ({
    subject: 'Another e-mail address was asked for',
    says: [
      `Somebody who is signed in to your account at ${url} asked to change its e-mail address${newAddress(params)}.`,
      'It changes once the new address is confirmed.',
    ],
    advice: secureIt(url),
  }),
  factor_added: (params, url) => ({
    subject: 'A way to sign in was added',
    says: [`Your account at ${url} now has ${nameOf(params)} more to sign in with.`],
    advice: secureIt(url),
  }),
  factor_removed: (params, url) => ({
    subject: 'A way to sign in was removed',
    says: [`From your account at ${url} ${nameOf(params)} was removed. It can no longer be used to sign in.`],
    advice: secureIt(url),
  }),
  recovery_code_used: ({ left }, url) => ({
    subject: 'A recovery code was used',
    says: [
      `Somebody signed in to your account at ${url} with one of your recovery codes.`,
      ...(left ? [`Codes that are left: ${harmless(left)}. Make new ones before there are none.`] : []),
    ],
    advice: secureIt(url),
  }),
  recovery_codes_made: (_, url) => ({
    subject: 'New recovery codes were made',
    says: [`New recovery codes were made for your account at ${url}. The old ones no longer work.`],
    advice: secureIt(url),
  }),
  new_device: (_, url) => ({
    subject: 'A sign-in from a new device',
    says: [
      `Somebody signed in to your account at ${url} from a device or network that it was not used from before.`,
    ],
    advice: secureIt(url),
  }),
  sign_in_after_failures: ({ failures }, url) => ({
    subject: 'A sign-in after failed attempts',
    says: [
      `Somebody signed in to your account at ${url} after ${failures ? `${harmless(failures)} ` : ''}attempts that failed.`,
    ],
    advice: secureIt(url),
  }),
  account_deleted: (_, url) => ({
    subject: 'Your account was deleted',
    says: [`Your account at ${url} was deleted, with everything that belonged to it.`],
    advice: `If this was not you, ask whoever runs ${url} for help.`,
  }),
  sign_in_reset: (_, url) => ({
    subject: 'Your sign-in was reset',
    says: [
      `An administrator reset the ways to sign in to your account at ${url}: every session ended, and passkeys, authenticator apps and recovery codes were removed.`,
      'Another mail has a link to choose a password.',
    ],
    advice: `If you did not ask for this, ask whoever runs ${url} what happened.`,
  }),
};

function nameOf({ factor = '', name }: MailParams): string {
  const what = FACTORS[factor] ?? (harmless(factor) || 'an authenticator');
  return name ? `${what} (${harmless(name)})` : what;
}

/** The other address, which comes masked, with nothing in it that an address does not have. */
function newAddress({ new_email: address }: MailParams): string {
  return address ? ` to ${address.replace(/[^\p{L}\p{N}@*._+-]/gu, '').slice(0, ADDRESS_MAX)}` : '';
}
