import type { MailKind } from './mail-kinds.js';
import type { MailParams } from './outbox.service.js';

/** The pages that a mail links to. */
export interface MailPages {
  /** The page that takes its token. */
  readonly page?: string;
  /** The page where the reader can follow the advice. */
  readonly helpPage?: string;
}

/** An owner can reset the password without being signed in. A reset ends every session. */
const RESET: MailPages = { helpPage: '/forgot' };

/** The pages of every kind of mail. */
export const MAIL_PAGES: Readonly<Record<MailKind, (params: MailParams) => MailPages>> = {
  verify_email: () => ({ page: '/verify-email' }),
  change_email: () => ({ page: '/verify-email?change' }),
  reset_password: ({ by }) => ({ page: '/reset-password', ...(by === 'admin' && RESET) }),
  signup_attempt: () => RESET,
  password_changed: () => RESET,
  email_changed: () => ({}),
  email_change_requested: () => RESET,
  factor_added: () => RESET,
  factor_removed: () => RESET,
  passkey_backup_enabled: () => RESET,
  passkey_disabled: () => RESET,
  recovery_code_used: () => RESET,
  recovery_codes_made: () => RESET,
  new_device: () => RESET,
  sign_in_after_failures: () => RESET,
  account_deleted: () => ({}),
  sign_in_reset: ({ password }) => (password === 'kept' ? {} : RESET),
};
