import { harmless } from './harmless.js';
import type { MailKind } from './mail-kinds.js';
import type { MailParams } from './outbox.service.js';

/** What a kind of mail says, and which pages under `/account/` it leads to. All of it is text. */
export interface Told {
  readonly subject: string;
  readonly says: readonly string[];
  /** What to do if it was somebody else. */
  readonly advice: string;
  /** The page that its token is for. */
  readonly page?: string;
  /** The page where its advice can be followed. */
  readonly helpPage?: string;
}

const ADDRESS_MAX = 254;
const FACTORS: MailParams = { passkey: 'a passkey', totp: 'an authenticator app' };

const IGNORE = 'If this was not you, ignore this mail: as long as nobody opens the link, nothing changes.';

/** What an owner can do alone, without being signed in. A reset ends every session. */
const SECURE_IT = {
  advice:
    'If this was not you, somebody may have access to your account. Choose another password at once by the link below: that signs out everywhere. Whoever has the password may be reading your mail too: check that account as well.',
  helpPage: 'password',
} as const satisfies Pick<Told, 'advice' | 'helpPage'>;

/** Every kind, from its parameters and where the service is reached. */
export const TEXTS: Readonly<Record<MailKind, (params: MailParams, publicUrl: string) => Told>> = {
  verify_email: (_, url) => ({
    subject: 'Confirm your e-mail address',
    says: [
      `This e-mail address was given for an account at ${url}.`,
      'If you made that account yourself, open this link to confirm the address. It works once, for a day.',
    ],
    page: 'verify-email',
    advice:
      'If you did not make it, do not open the link: it would confirm the account of somebody else. Without it, nothing happens.',
  }),
  change_email: (_, url) => ({
    subject: 'Confirm your new e-mail address',
    says: [
      `This is to become the e-mail address of an account at ${url}.`,
      'If you asked for that, open this link to confirm it. It works once, for a day.',
    ],
    page: 'change-email',
    advice: IGNORE,
  }),
  reset_password: ({ by }, url) => (by === 'admin' ? resetByAdmin(url) : resetByOwner(url)),
  signup_attempt: (_, url) => ({
    subject: 'You already have an account',
    says: [
      `Somebody tried to make an account at ${url} with this e-mail address. It has one already, and nothing was changed.`,
      'If it was you, sign in. If you do not know your password any more, the link below leads to another one.',
    ],
    advice: 'If this was not you, there is nothing to do.',
    helpPage: 'password',
  }),
  password_changed: ({ factors }, url) => ({
    subject: 'Your password was changed',
    says: [
      `The password of your account at ${url} was changed.`,
      ...(factors === 'removed'
        ? [
            'Passkeys, authenticator apps and recovery codes of the account were removed with it: until now nobody had proved that this e-mail address is theirs, so that somebody else could have put them there. If they were yours, add them again.',
          ]
        : []),
    ],
    ...SECURE_IT,
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
    ...SECURE_IT,
  }),
  factor_added: (params, url) => ({
    subject: 'A way to sign in was added',
    says: [
      `${capital(nameOf(params))} was added to your account at ${url}. From now on it can be used to sign in.`,
    ],
    ...SECURE_IT,
    advice: `${SECURE_IT.advice} What was added can outlast that: remove it once you have signed in.`,
  }),
  factor_removed: (params, url) => ({
    subject: 'A way to sign in was removed',
    says: [`From your account at ${url} ${nameOf(params)} was removed. It can no longer be used to sign in.`],
    ...SECURE_IT,
  }),
  recovery_code_used: ({ left }, url) => ({
    subject: 'A recovery code was used',
    says: [
      `Somebody signed in to your account at ${url} with one of your recovery codes.`,
      ...(left ? [`Codes that are left: ${harmless(left)}. Make new ones before there are none.`] : []),
    ],
    ...SECURE_IT,
  }),
  recovery_codes_made: (_, url) => ({
    subject: 'New recovery codes were made',
    says: [`New recovery codes were made for your account at ${url}. The old ones no longer work.`],
    ...SECURE_IT,
  }),
  new_device: (_, url) => ({
    subject: 'A sign-in from a new device',
    says: [
      `Somebody signed in to your account at ${url} from a device or network that it was not used from before.`,
    ],
    ...SECURE_IT,
  }),
  sign_in_after_failures: ({ failures }, url) => ({
    subject: 'A sign-in after failed attempts',
    says: [
      `Somebody signed in to your account at ${url} after ${failures ? `${harmless(failures)} ` : ''}attempts that failed.`,
    ],
    ...SECURE_IT,
  }),
  account_deleted: (_, url) => ({
    subject: 'Your account was deleted',
    says: [`Your account at ${url} was deleted, with everything that belonged to it.`],
    advice: `If this was not you, ask whoever runs ${url} for help.`,
  }),
  sign_in_reset: ({ password }, url) => ({
    subject: 'Your sign-in was reset',
    says: [
      `An administrator reset the ways to sign in to your account at ${url}: every session ended, and passkeys, authenticator apps and recovery codes were removed.`,
      password === 'kept'
        ? 'Your password stays as it was: sign in with it, and add what was removed again.'
        : 'There is no password that you can sign in with. Choose one by the link below, and then add what was removed again.',
    ],
    advice: `If you did not ask for this, ask whoever runs ${url} what happened.`,
    ...(password !== 'kept' && { helpPage: 'password' }),
  }),
};

function resetByOwner(url: string): Told {
  return {
    subject: 'Choose another password',
    says: [
      `Another password was asked for, for your account at ${url}.`,
      'Open this link to choose one. It works once, for an hour.',
    ],
    page: 'reset-password',
    advice: IGNORE,
  };
}

/** The password is void already, whether the link is opened or not. */
function resetByAdmin(url: string): Told {
  return {
    subject: 'Choose another password',
    says: [
      `An administrator ended every session of your account at ${url}. Its password may be known to others, and opens nothing any more.`,
      'Open this link to choose another one. It works once, for an hour.',
    ],
    page: 'reset-password',
    advice: `If you did not expect this, ask whoever runs ${url} what happened. Once the hour is over, ask for another link here:`,
    helpPage: 'password',
  };
}

function nameOf({ factor = '', name }: MailParams): string {
  const what = FACTORS[factor] ?? (harmless(factor) || 'an authenticator');
  return name ? `${what} (${harmless(name)})` : what;
}

/** The other address, which comes masked, with nothing in it that an address does not have. */
function newAddress({ new_email: address }: MailParams): string {
  return address ? ` to ${address.replace(/[^\p{L}\p{N}@*._+-]/gu, '').slice(0, ADDRESS_MAX)}` : '';
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
