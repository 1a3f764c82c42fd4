import { z } from 'zod';
import type { Setting, Values } from './setting.config.js';

const smtpUrl = z.string().refine(isSmtpUrl, {
  error: 'smtp://[user:password@]host[:port] (STARTTLS where offered), or smtps:// for TLS from the start',
});

/** A mailbox of our own: no name with special characters, so that no parser can read another address out of it. */
const from = z
  .string()
  .regex(
    /^(?:[\p{L}\p{N} ._-]{1,64} <[^\s<>@,;:"]{1,64}@[A-Za-z0-9.-]{1,253}>|[^\s<>@,;:"]{1,64}@[A-Za-z0-9.-]{1,253})$/u,
    {
      error: 'an address such as auth@example.com or Example <auth@example.com>',
    },
  );

export const mailSettings = {
  SMTP_URL: {
    schema: smtpUrl,
    secret: true,
    defaultText: 'unset: mails stay in the outbox; the mailbox of development shows them',
    meaning:
      'The mail server that mails go out by; port 587 by default, 465 for smtps. In production a password is only sent over TLS.',
  },
  MAIL_FROM: {
    schema: from,
    defaultText: '`traffy@` and the host of `PUBLIC_URL`',
    meaning: 'The sender of mails.',
  },
} satisfies Record<string, Setting>;

export type MailConfig = Omit<Values<typeof mailSettings>, 'MAIL_FROM'> & { readonly MAIL_FROM: string };

function isSmtpUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, pathname, search, hash, username, password } = new URL(text);
  return (
    /^smtps?:$/.test(protocol) &&
    hostname !== '' &&
    /^\/?$/.test(pathname) &&
    search === '' &&
    hash === '' &&
    isEncoded(username) &&
    isEncoded(password)
  );
}

/** A % that is no escape would be an error when the first mail is sent. */
function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
