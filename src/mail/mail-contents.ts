import { readableUserAgent } from '../platform/http/user-agent.js';
import type { MailTexts, MailValues, MailWords } from '../texts/en.js';
import { type Language, textsIn } from '../texts/language.js';
import { plainLine } from './plain-line.js';
import type { MailKind } from './mail-kinds.js';
import { MAIL_PAGES } from './mail-pages.js';
import type { MailParams } from './outbox.service.js';

const ADDRESS_MAX = 254;

/** The content of a mail before it becomes text or HTML. Plain text. */
export interface MailContent extends MailWords {
  readonly language: Language;
  /** The link to open, always under PUBLIC_URL. */
  readonly link?: string;
  /** The token of the link as a text to type, the page that takes it, and the sentence that says so. */
  readonly code?: { readonly text: string; readonly page: string; readonly advice: string };
  /** The page where the reader can follow the advice, always under PUBLIC_URL. */
  readonly help?: string;
  /** Facts about the request: a label and a text. */
  readonly facts: readonly (readonly [label: string, text: string])[];
}

/** The input of `contentOf`. */
export interface ContentSource {
  readonly kind: MailKind;
  readonly params: MailParams;
  readonly at: Date;
  /** The origin of every link. */
  readonly publicUrl: string;
  readonly language: Language;
}

/** Fills in the text of a kind of mail. */
export function contentOf({ kind, params, at, publicUrl, language }: ContentSource): MailContent {
  const { mails } = textsIn(language);
  const { page, helpPage } = MAIL_PAGES[kind](params);
  const { code } = params;
  return {
    language,
    ...mails.kinds[kind](valuesOf(kind, params, publicUrl)),
    ...(page !== undefined && { link: linkTo(publicUrl, page, params) }),
    ...(page !== undefined &&
      code && { code: { text: code, page: `${publicUrl}${page}`, advice: mails.enterCode } }),
    ...(helpPage !== undefined && { help: `${publicUrl}${helpPage}` }),
    facts: factsOf(params, at, mails),
  };
}

/** The parameters as texts may show them: some come from clients. */
function valuesOf(kind: MailKind, params: MailParams, url: string): MailValues {
  const shown = (name: string) => plainLine(params[name] ?? '');
  return {
    url,
    isByAdmin: params['by'] === 'admin',
    factor: kind.startsWith('passkey_') ? 'passkey' : shown('factor'),
    name: shown('name'),
    // Masked; without characters that an address cannot have.
    newAddress: (params['new_email'] ?? '').replace(/[^\p{L}\p{N}@*._+-]/gu, '').slice(0, ADDRESS_MAX),
    areFactorsRemoved: params['factors'] === 'removed',
    isPasswordKept: params['password'] === 'kept',
    codesLeft: shown('left'),
    failures: shown('failures'),
  };
}

/**
 * The link of a mail: the one its composer gave, or the page of its kind with the token. The token is in the fragment,
 * which browsers never send, so that it reaches no server log, proxy or referrer.
 */
function linkTo(publicUrl: string, page: string, { link, token }: MailParams): string {
  if (link?.startsWith(`${publicUrl}/`) && /^[!-~]+$/.test(link)) return link;
  if (!token) throw new TypeError(`a mail with a link to ${page} needs a token`);
  return `${publicUrl}${page}#token=${encodeURIComponent(token)}`;
}

function factsOf({ ip, user_agent: userAgent }: MailParams, at: Date, texts: MailTexts): [string, string][] {
  const facts: [string, string][] = [[texts.when, `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC`]];
  if (ip) facts.push([texts.ip, plainLine(ip)]);
  if (userAgent) facts.push([texts.device, plainLine(readableUserAgent(userAgent) ?? userAgent)]);
  return facts;
}
