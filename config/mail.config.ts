import { z } from 'zod';
import type { Setting, Values } from './setting.config.js';

const smtpUrl = z.string().refine(isSmtpUrl, {
  error: 'smtp://[user:password@]host[:port] (STARTTLS if offered), or smtps:// for implicit TLS',
});

/** The sender. No special characters in the name, so that every parser finds the same address. */
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
    defaultText:
      'unset: mails stay in the outbox and are shown by the development mailbox; in production, none is sent',
    meaning:
      'Mail server; port 587 by default, 465 for smtps. In production a password is only sent over TLS.',
  },
  MAIL_FROM: {
    schema: from,
    defaultText: '`traffy@` and the host of `PUBLIC_URL`',
    meaning: 'Sender of mails. Without a name, that of the service is shown: `BRAND_NAME`.',
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

/** An invalid % escape would otherwise fail when the first mail is sent. */
function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
