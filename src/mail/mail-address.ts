import { domainToASCII } from 'node:url';

/** A dot-atom, an at sign and a domain name (RFC 5321 §4.1.2, without quoted local parts and address literals). */
const PLAIN =
  /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/;
const LENGTH_MAX = 254;

/**
 * What `RCPT TO` says for a stored address: the same, byte for byte; an internationalised domain travels in Punycode.
 *
 * @returns null for what a parser somewhere on the way could take for another address, or for more than one: quoted local
 * parts, comments, lists, line breaks.
 */
export function envelopeAddress(stored: string): string | null {
  if (stored.length > LENGTH_MAX) return null;
  if (PLAIN.test(stored)) return stored;
  const at = stored.indexOf('@');
  const encoded = `${stored.slice(0, at + 1)}${domainToASCII(stored.slice(at + 1))}`;
  return PLAIN.test(encoded) ? encoded : null;
}

/** MAIL_FROM in its parts. */
export function sender(mailFrom: string): { readonly name: string; readonly address: string } {
  const [, name = '', address = mailFrom] = /^(.*) <(.*)>$/.exec(mailFrom) ?? [];
  return { name, address };
}
