import { z } from 'zod';
import { onOff, type Setting, type Values } from './setting.config.js';

const COLOR = /^#[0-9a-f]{6}$/i;
/** A name without characters that mean something in mails or HTML. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} .&'+-]{0,39}$/u;

export const pagesSettings = {
  PAGES: {
    schema: onOff(),
    default: 'on',
    meaning: 'The pages for people, such as /login and /account; `off` leaves only those that mails open.',
  },
  BRAND_NAME: {
    schema: z.string().regex(NAME, {
      error: "up to 40 letters, digits, spaces and . & ' + -, beginning with a letter or digit",
    }),
    default: 'Traffy',
    meaning: 'The name of the service on pages, in mails and for new passkeys.',
  },
  BRAND_COLOR: {
    schema: z.string().regex(COLOR, { error: 'a colour such as #3451b2' }),
    default: '#3451b2',
    meaning: 'The colour of buttons and links; readable shades for light and dark are derived from it.',
  },
  BRAND_LOGO_URL: {
    schema: z.string().refine(isHttpsUrl, { error: 'an https URL of an image' }),
    defaultText: 'unset: the name is shown',
    meaning: 'A logo for the pages, 32 pixels high.',
  },
  SECURITY_CONTACT: {
    schema: z.string().refine((text) => isHttpsUrl(text) || /^mailto:[^\s@]+@[^\s@]+$/.test(text), {
      error: 'an https URL or mailto: address',
    }),
    defaultText: 'unset: no `/.well-known/security.txt`',
    meaning: 'Where to report vulnerabilities, in `/.well-known/security.txt` (RFC 9116).',
  },
} satisfies Record<string, Setting>;

export type PagesConfig = Values<typeof pagesSettings>;

function isHttpsUrl(text: string): boolean {
  return (
    URL.canParse(text) &&
    new URL(text).protocol === 'https:' &&
    !/[\s"'<>\\^`{|}]/.test(text) &&
    !/[;,*]/.test(new URL(text).host)
  );
}
