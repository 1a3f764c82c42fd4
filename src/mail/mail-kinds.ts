/** Every kind of mail. The first ones need a composer, because they carry a link. */
export const MAIL_KINDS = [
  'verify_email',
  'change_email',
  'reset_password',
  'signup_attempt',
  'password_changed',
  'email_changed',
  'email_change_requested',
  'factor_added',
  'factor_removed',
  'passkey_backup_enabled',
  'passkey_disabled',
  'recovery_code_used',
  'recovery_codes_made',
  'new_device',
  'sign_in_after_failures',
  'account_deleted',
  'sign_in_reset',
] as const;
export type MailKind = (typeof MAIL_KINDS)[number];
