import { readableUserAgent } from '../http/user-agent.js';
import { harmless } from './harmless.js';
import type { MailKind } from './mail-kinds.js';
import { TEXTS, type Told } from './mail-texts.js';
import type { MailParams } from './outbox.service.js';

/** What a mail says, before it becomes text or HTML. All of it is text. */
export interface MailContent extends Pick<Told, 'subject' | 'says' | 'advice'> {
  /** What to open; always under PUBLIC_URL. */
  readonly link?: string;
  /** Where the advice can be followed; always under PUBLIC_URL. */
  readonly help?: string;
  /** What is known of the request: a label and a text. */
  readonly facts: readonly (readonly [label: string, text: string])[];
}

/** What the content is made from. */
export interface ContentSource {
  readonly kind: MailKind;
  readonly params: MailParams;
  readonly at: Date;
  /** The origin of every link. */
  readonly publicUrl: string;
}

/** Fills in what a kind of mail says. */
export function contentOf({ kind, params, at, publicUrl }: ContentSource): MailContent {
  const { page, helpPage, ...told } = TEXTS[kind](params, publicUrl);
  return {
    ...told,
    ...(page !== undefined && { link: linkTo(publicUrl, page, params) }),
    ...(helpPage !== undefined && { help: `${publicUrl}/account/${helpPage}` }),
    facts: factsOf(params, at),
  };
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
