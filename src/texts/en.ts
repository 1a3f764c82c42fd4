/** Every text that people read, in English. The other languages have the same keys. */

const tooShort = (min: number) =>
  `Use at least ${min} characters. A few unrelated words are easy to remember.`;

/** What the pages show. */
export const pages = {
  errorTitle: (title: string) => `Error: ${title}`,
  noScript: 'This page needs JavaScript. Switch it on in the settings of your browser, then reload the page.',
  loading: 'Loading…',
  notFound: {
    title: 'Page not found',
    says: 'There is no page at this address.',
    home: 'Go to the start page',
  },
  home: {
    title: 'Welcome',
    lead: 'Sign in or create an account.',
    signedInAs: 'Signed in as',
    signIn: 'Sign in',
    signUp: 'Create account',
    account: 'Manage account',
    admin: 'Manage users',
    signOut: 'Sign out',
    signingOut: 'Signing out…',
    strategy: (strategy: string) => `This server runs AUTH_STRATEGY=${strategy}.`,
    forDevelopers: 'For developers',
    docs: 'API documentation',
    specification: 'OpenAPI specification',
    keys: 'Public keys (JWKS)',
    health: 'Health',
    mailbox: 'Development mailbox',
    controls: 'Development controls',
  },
  fields: {
    email: 'E-mail address',
    password: 'Password',
    newPassword: 'New password',
    currentPassword: 'Current password',
    code: 'Code from your authenticator app',
    recoveryCode: 'Recovery code',
    mailCode: 'Code from the e-mail',
    name: 'Name',
    show: 'Show',
    hide: 'Hide',
    showPassword: 'Show password',
    hidePassword: 'Hide password',
    passwordAdvice: (min: number) => `At least ${min} characters. Try a few random words.`,
    passwordMissing: (count: number) => (count === 1 ? '1 more character' : `${count} more characters`),
    passwordLongEnough: 'Long enough.',
  },
  errors: {
    required: {
      email: 'Enter your e-mail address.',
      password: 'Enter your password.',
      new_password: 'Enter a new password.',
      current_password: 'Enter your current password.',
      code: 'Enter the code.',
      name: 'Enter a name.',
    },
    passwordTooShort: tooShort,
    offline: "You're offline. Try again when connected.",
    unknown: 'Something went wrong. Reload the page and try again.',
    passkeyHost: (host: string) => `Passkeys work only at ${host}.`,
    timeout: 'The server did not answer. Try again in a moment.',
    rateLimited: (wait: string) => `Too many attempts. Try again in ${wait}.`,
    retryNow: 'You can try again now.',
    server: (requestId: string) =>
      `Something went wrong on our side. Try again in a moment. (Request ${requestId})`,
    unavailable: (wait: string) => `The service is not available at the moment. Try again in ${wait}.`,
    seconds: (count: number) => (count === 1 ? '1 second' : `${count} seconds`),
    minutes: (count: number) => (count === 1 ? '1 minute' : `${count} minutes`),
    byCode: {
      invalid_credentials: 'Incorrect e-mail address or password.',
      email_taken: 'An account with this e-mail address already exists.',
      mfa_failed: 'That code did not work. Check it and try again.',
      reauthentication_failed: 'Incorrect password or code. Try again.',
      token_invalid: 'This link has expired or was already used.',
      passkey_cancelled: 'No passkey was used. Try again or use your password.',
      passkey_unsupported: 'This browser cannot use passkeys.',
      passkey_refused: "That passkey didn't work. Use another way.",
      passkey_exists: 'This device already has a passkey.',
    } as Readonly<Record<string, string>>,
  },
  signIn: {
    title: 'Sign in',
    button: 'Sign in',
    busy: 'Signing in…',
    forgot: 'Forgot your password?',
    or: 'or',
    passkey: 'Sign in with a passkey',
    noAccount: 'No account yet?',
    pause: 'We may pause sign-in after several attempts.',
    ended: 'Your session has ended. Sign in again.',
    signedOutEverywhere: 'You are signed out of all devices.',
    signedInAs: (email: string) => `You are signed in as ${email}.`,
    proceed: 'Continue',
    another: 'Use another account',
  },
  secondFactor: {
    title: 'Two-step verification',
    says: 'Enter the code that your authenticator app shows.',
    saysRecovery: 'Enter one of the recovery codes that you saved. Each works once.',
    saysPasskey: 'Use the passkey of your account.',
    button: 'Verify',
    busy: 'Verifying…',
    usePasskey: 'Use a passkey',
    useRecoveryCode: 'Use a recovery code',
    useApp: 'Use your authenticator app',
    cancel: 'Cancel',
    expired: 'That took too long. Sign in again.',
  },
  signUp: {
    title: 'Create your account',
    button: 'Create account',
    busy: 'Creating your account…',
    haveAccount: 'Already have an account?',
    checkEmail: 'Check your e-mail',
    sent: (email: string) => `We sent a link to ${email}. Open it to verify your address, then sign in.`,
    closed: 'This service does not take new accounts.',
  },
  forgot: {
    title: 'Reset your password',
    says: 'Enter the e-mail address of your account. We will send you a link to choose a new password.',
    button: 'Send reset link',
    busy: 'Sending…',
    sent: (email: string) =>
      `If there is an account for ${email}, we sent a link. It works once and expires in 1 hour.`,
    again: 'Send again',
    againIn: (wait: string) => `Send again in ${wait}`,
    back: 'Back to sign in',
  },
  reset: {
    title: 'Choose a new password',
    says: 'You will be signed out of all devices. If your e-mail address was never verified, passkeys, authenticator apps and recovery codes are removed too, because another person could have added them.',
    button: 'Save new password',
    busy: 'Saving…',
    done: 'Your password is changed. Sign in with your new password.',
    requestNew: 'Request a new link',
    wrongCode: 'This code is wrong, has expired or was already used. Check it, or request a new e-mail.',
  },
  verify: {
    title: 'Verify your e-mail address',
    says: 'Only continue if you created this account. If you did not, close this page.',
    button: 'Verify e-mail address',
    busy: 'Verifying…',
    done: 'Your e-mail address is verified.',
    changeTitle: 'Confirm your new e-mail address',
    changeSays: 'Only continue if you requested to change the address of your account to this one.',
    changeButton: 'Confirm e-mail address',
    changeDone: 'Your e-mail address is changed. Use the new address to sign in.',
    badLink: 'This link has expired or was already used. Sign in and request a new one.',
  },
  account: {
    title: 'Your account',
    navigation: 'Sections',
    signOut: 'Sign out',
    saved: 'Saved.',
    failed: 'This part could not be loaded.',
    retry: 'Try again',
    cancel: 'Cancel',
    close: 'Close',
    done: 'Done',
    save: 'Save',
    saving: 'Saving…',
    copy: 'Copy',
    copied: 'Copied',
    profile: {
      title: 'Profile',
      name: 'Name',
      nameAdvice: 'Only you can see it. Optional.',
      language: 'Language',
      languageAdvice: 'Used for these pages and for e-mails.',
      memberSince: (date: string) => `Account created on ${date}.`,
    },
    email: {
      title: 'E-mail address',
      verified: 'Verified',
      unverified: 'Not verified',
      verify: 'Send verification link',
      sent: 'We sent you a link.',
      pending: (email: string) => `Waiting for confirmation: we sent a link to ${email}.`,
      change: 'Change e-mail address',
      newEmail: 'New e-mail address',
      button: 'Send confirmation link',
      busy: 'Sending…',
    },
    password: {
      title: 'Password',
      change: 'Change password',
      none: 'Your account has no password.',
      set: 'Set a password',
      says: 'All other devices are signed out.',
      changed: 'Your password is changed. All other devices are signed out.',
    },
    passkeys: {
      title: 'Passkeys',
      says: 'Sign in with your fingerprint, your face or the lock of your device, without a password.',
      empty: 'You have no passkeys.',
      add: 'Add a passkey',
      adding: 'Follow the steps in your browser…',
      added: 'The passkey is added.',
      synced: 'Synced',
      thisDevice: 'This device only',
      disabled: 'No longer secure: remove it and add another one.',
      created: (date: string) => `Added ${date}`,
      used: (date: string) => `last used ${date}`,
      neverUsed: 'never used',
      rename: 'Rename',
      renameTitle: (name: string) => `Rename “${name}”`,
      remove: 'Remove',
      removeTitle: (name: string) => `Remove passkey “${name}”?`,
      removeSays: 'You can no longer sign in with it. Your device may still offer it; delete it there too.',
      removed: 'The passkey is removed.',
      unsupported: 'This browser cannot use passkeys.',
    },
    totp: {
      title: 'Authenticator app',
      says: 'When you sign in, you also enter a code from an app.',
      on: 'On',
      off: 'Off',
      start: 'Set up authenticator app',
      scan: 'Scan this QR code with your authenticator app, or type the key.',
      qr: 'QR code of the key',
      key: 'Key',
      confirm: 'Turn on',
      confirming: 'Turning on…',
      remove: 'Turn off',
      removeTitle: 'Turn off the authenticator app?',
      removeSays: 'Your password alone is then enough to sign in, unless you have a passkey.',
      removed: 'The authenticator app is turned off.',
    },
    codes: {
      title: 'Recovery codes',
      says: 'Each code signs you in once if you lose your second factor.',
      left: (count: number) => (count === 1 ? '1 code left.' : `${count} codes left.`),
      few: 'Create new codes before you run out.',
      none: 'You have no recovery codes. Create them now.',
      create: 'Create new codes',
      newTitle: 'Save your recovery codes',
      newSays:
        'Keep them where you keep your passwords. They are not shown again, and earlier codes no longer work.',
      download: 'Download',
      print: 'Print',
      fileName: 'recovery-codes.txt',
      saved: 'I have saved these codes',
      needFactor: 'Set up an authenticator app or add a passkey first.',
    },
    devices: {
      title: 'Devices',
      current: 'This device',
      unknown: 'Unknown device',
      name: (browser: string, system: string) => `${browser} on ${system}`,
      signedIn: (date: string) => `Signed in ${date}`,
      used: (date: string) => `last active ${date}`,
      signOut: 'Sign out',
      signOutTitle: (name: string) => `Sign out “${name}”?`,
      signOutSays: 'The device must sign in again.',
      everywhere: 'Sign out everywhere',
      everywhereTitle: 'Sign out everywhere?',
      everywhereSays: 'All devices must sign in again, this one too.',
      ended: 'The device is signed out.',
    },
    activity: {
      title: 'Recent activity',
      more: 'Show more',
      empty: 'Nothing yet.',
      notYou: "Wasn't you?",
      notYouSays: 'Sign out everywhere and change your password.',
      by: {
        admin: 'by an administrator',
        operator: 'by an operator',
        service: 'by a service',
        system: 'by the system',
      } as Readonly<Record<string, string>>,
    },
    data: {
      title: 'Your data',
      says: 'A file with everything that is stored about you.',
      download: 'Download your data',
      fileName: 'account.json',
    },
    deletion: {
      title: 'Delete account',
      says: 'Your account and everything stored about it are deleted immediately and for good.',
      button: 'Delete account',
      dialogTitle: 'Delete your account?',
      dialogSays: (email: string) => `This cannot be undone. Type ${email} to confirm.`,
      mismatch: 'This is not the e-mail address of your account.',
      busy: 'Deleting…',
    },
  },
  admin: {
    title: 'Users',
    forbiddenTitle: 'Not allowed',
    forbidden: 'This page is for administrators. Your account does not have this role.',
    toAccount: 'Go to your account',
    search: 'Search by e-mail address',
    searchButton: 'Search',
    searching: 'Searching…',
    role: 'Role',
    state: 'State',
    any: 'Any',
    roles: { user: 'User', admin: 'Administrator' } as Readonly<Record<string, string>>,
    enabled: 'Enabled',
    disabled: 'Disabled',
    none: (query: string) => (query === '' ? 'No users.' : `No users match “${query}”.`),
    more: 'Show more',
    email: 'E-mail address',
    created: 'Created',
    sessions: 'Sessions',
    show: (email: string) => `Show ${email}`,
    back: 'Back to all users',
    you: 'This is your account.',
    facts: 'Details',
    factors: 'Sign-in methods',
    password: 'Password',
    totp: 'Authenticator app',
    passkeys: (count: number) => (count === 1 ? '1 passkey' : `${count} passkeys`),
    codes: (count: number) => (count === 1 ? '1 recovery code' : `${count} recovery codes`),
    locks: 'Locks after failed attempts',
    noLocks: 'None.',
    disable: 'Disable account',
    disableTitle: (email: string) => `Disable ${email}?`,
    disableSays: 'The user is signed out of all devices and cannot sign in.',
    enable: 'Enable account',
    makeAdmin: 'Make administrator',
    makeAdminTitle: (email: string) => `Make ${email} an administrator?`,
    makeAdminSays: 'Administrators can see and change all accounts.',
    makeUser: 'Remove administrator role',
    makeUserTitle: (email: string) => `Remove the administrator role of ${email}?`,
    makeUserSays: 'The user can no longer see or change other accounts.',
    changed: 'The account is changed.',
    signOutAll: 'Sign out of all devices',
    signOutAllTitle: (email: string) => `Sign ${email} out of all devices?`,
    signOutAllSays: 'The user must sign in again on each of them.',
    ended: (count: number) => (count === 1 ? '1 session ended.' : `${count} sessions ended.`),
    noSessions: 'Not signed in anywhere.',
    audit: 'Audit trail',
    noEvents: 'No events.',
  },
  stepUp: {
    title: "Confirm it's you",
    says: (email: string) => `You are about to change something important. Confirm that you are ${email}.`,
    button: 'Confirm',
    busy: 'Confirming…',
    usePasskey: 'Confirm with a passkey',
    usePassword: 'Use your password',
    cancel: 'Cancel',
  },
};

export type PageTexts = typeof pages;

/** The values of a mail, all safe to show. Empty texts are absent values. */
export interface MailValues {
  /** The address of the service. */
  readonly url: string;
  /** Whether an administrator caused it. */
  readonly isByAdmin: boolean;
  /** The kind of a sign-in method, and its name. */
  readonly factor: string;
  readonly name: string;
  /** The new e-mail address, masked. */
  readonly newAddress: string;
  readonly areFactorsRemoved: boolean;
  readonly isPasswordKept: boolean;
  /** How many recovery codes are left, and how many attempts failed. */
  readonly codesLeft: string;
  readonly failures: string;
}

/** The words of a mail: a subject, paragraphs, and what to do if its owner did not cause it. */
export interface MailWords {
  readonly subject: string;
  readonly says: readonly string[];
  readonly advice: string;
}

const IGNORE =
  'If you did not request this, you can ignore this e-mail. Nothing changes unless the link is used.';
const SECURE_IT =
  'If this was not you, another person may have access to your account. Reset your password now with the link below. This signs you out of all devices. Check your e-mail account too: a person who knows your password may also be able to read your e-mail.';
const factorOf = ({ factor, name }: MailValues) => {
  const kind =
    { passkey: 'A passkey', totp: 'An authenticator app' }[factor] ?? (factor || 'An authenticator');
  return name ? `${kind} (${name})` : kind;
};
const words = (text: (values: MailValues) => MailWords) => text;

/** What mails say. */
export const mails = {
  when: 'When',
  ip: 'IP address',
  device: 'Device',
  /** Some mail gateways cut the token off the link. */
  enterCode: 'If the link does not work, open this page and enter the code below it:',
  kinds: {
    verify_email: words(({ url }) => ({
      subject: 'Verify your e-mail address',
      says: [
        `An account at ${url} was created with this e-mail address.`,
        'If you created the account, open this link to verify the address. The link works once and expires in 24 hours.',
      ],
      advice:
        'If you did not create this account, do not open the link: it would verify an account that another person created. You can ignore this e-mail.',
    })),
    change_email: words(({ url }) => ({
      subject: 'Confirm your new e-mail address',
      says: [
        `We received a request to use this e-mail address for an account at ${url}.`,
        'If you made this request, open this link to confirm the address. The link works once and expires in 24 hours.',
      ],
      advice: IGNORE,
    })),
    reset_password: words(({ url, isByAdmin }) => ({
      subject: 'Reset your password',
      says: [
        isByAdmin
          ? `An administrator signed you out of all devices and disabled the password of your account at ${url}, because the password may be compromised.`
          : `We received a request to reset the password of your account at ${url}.`,
        'Open this link to choose a new password. The link works once and expires in 1 hour.',
      ],
      advice: isByAdmin
        ? `If you did not expect this, contact the operator of ${url}. If the link has expired, request a new one here:`
        : IGNORE,
    })),
    signup_attempt: words(({ url }) => ({
      subject: 'You already have an account',
      says: [
        `We received a request to create an account at ${url} with this e-mail address. An account with this address already exists, and nothing has changed.`,
        'If this was you, sign in. If you forgot your password, reset it with the link below.',
      ],
      advice: 'If this was not you, you do not need to do anything.',
    })),
    password_changed: words(({ url, areFactorsRemoved }) => ({
      subject: 'Your password was changed',
      says: [
        `The password of your account at ${url} was changed.`,
        ...(areFactorsRemoved
          ? [
              'The passkeys, authenticator apps and recovery codes of the account were removed, because this e-mail address was not verified before. Another person could have added them. If they were yours, add them again.',
            ]
          : []),
      ],
      advice: SECURE_IT,
    })),
    email_changed: words(({ url, newAddress }) => ({
      subject: 'Your e-mail address was changed',
      says: [
        `The e-mail address of your account at ${url} was changed${newAddress && ` to ${newAddress}`}.`,
        'Use the new address to sign in. We send e-mails about your account there.',
      ],
      advice: `If this was not you, another person has access to your account. Contact the operator of ${url}: this address can no longer be used to reset the password.`,
    })),
    email_change_requested: words(({ url, newAddress }) => ({
      subject: 'Your e-mail address is about to change',
      says: [
        `We received a request to change the e-mail address of your account at ${url}${newAddress && ` to ${newAddress}`}.`,
        'The address changes when the new address is confirmed.',
      ],
      advice: SECURE_IT,
    })),
    factor_added: words((values) => ({
      subject: 'A sign-in method was added',
      says: [
        `${factorOf(values)} was added to your account at ${values.url} and can now be used to sign in.`,
      ],
      advice: `${SECURE_IT} Then sign in and remove the sign-in method: a password reset may not remove it.`,
    })),
    factor_removed: words((values) => ({
      subject: 'A sign-in method was removed',
      says: [
        `${factorOf(values)} was removed from your account at ${values.url} and can no longer be used to sign in.`,
      ],
      advice: SECURE_IT,
    })),
    passkey_backup_enabled: words((values) => ({
      subject: 'A passkey can now be backed up',
      says: [
        `${factorOf(values)} of your account at ${values.url} was used to sign in. It can now be backed up or synchronised to your other devices, which was not possible when it was added.`,
        'This is usual after you turn on synchronisation, or move the passkey into a password manager.',
      ],
      advice: `${SECURE_IT} Then sign in and remove the passkey: a password reset may not remove it.`,
    })),
    passkey_disabled: words((values) => ({
      subject: 'A passkey was disabled',
      says: [
        `${factorOf(values)} of your account at ${values.url} can no longer be used to sign in, because its key is not secure.`,
        `Sign in another way, remove the passkey and add a new one. If you cannot sign in another way, contact the operator of ${values.url}.`,
      ],
      advice:
        'If you did not add this passkey, another person had access to your account. Reset your password now with the link below.',
    })),
    recovery_code_used: words(({ url, codesLeft }) => ({
      subject: 'A recovery code was used',
      says: [
        `One of your recovery codes was used to sign in to your account at ${url}.`,
        ...(codesLeft ? [`Recovery codes left: ${codesLeft}. Create new ones before you run out.`] : []),
      ],
      advice: SECURE_IT,
    })),
    recovery_codes_made: words(({ url }) => ({
      subject: 'New recovery codes were created',
      says: [`New recovery codes were created for your account at ${url}. The old codes no longer work.`],
      advice: SECURE_IT,
    })),
    new_device: words(({ url }) => ({
      subject: 'New sign-in to your account',
      says: [`We noticed a sign-in to your account at ${url} from a new device or network.`],
      advice: SECURE_IT,
    })),
    sign_in_after_failures: words(({ url, failures }) => ({
      subject: 'Sign-in after failed attempts',
      says: [
        `We noticed a sign-in to your account at ${url} after ${failures && `${failures} `}failed attempts.`,
      ],
      advice: SECURE_IT,
    })),
    account_deleted: words(({ url }) => ({
      subject: 'Your account was deleted',
      says: [`Your account at ${url} and all of its data were deleted.`],
      advice: `If this was not you, contact the operator of ${url}.`,
    })),
    sign_in_reset: words(({ url, isPasswordKept }) => ({
      subject: 'Your sign-in methods were reset',
      says: [
        `An administrator reset the sign-in methods of your account at ${url}. You were signed out of all devices, and your passkeys, authenticator apps and recovery codes were removed.`,
        isPasswordKept
          ? 'Your password has not changed. Sign in with it and add your sign-in methods again.'
          : 'You have no password to sign in with. Set one with the link below, then add your sign-in methods again.',
      ],
      advice: `If you did not request this, contact the operator of ${url}.`,
    })),
  },
};

export type MailTexts = typeof mails;

/** What problems say (RFC 9457). Their codes are the same in every language. */
export const problems = {
  titles: {
    validation_failed: 'The request is not valid',
    malformed_body: 'The body is not valid JSON',
    malformed_request: 'The request is malformed',
    weak_password: 'The password is too weak',
    totp_code_wrong: 'Incorrect code',
    token_invalid: 'This link has expired or was already used',
    passkey_not_accepted: 'The passkey cannot be added',
    conflicting_credentials: 'The request carries credentials of different users',
    unauthorized_client: 'The client is not allowed to do this',
    authentication_required: 'Sign in to continue',
    credential_invalid: 'The credential is not valid',
    credential_expired: 'The credential has expired',
    credential_revoked: 'Your session has ended',
    invalid_credentials: 'Incorrect e-mail address or password',
    passkey_refused: 'That passkey did not work',
    mfa_required: 'Two-step verification is required',
    mfa_token_invalid: 'Sign in again',
    mfa_failed: 'Incorrect code or passkey',
    password_change_required: 'Reset your password to continue',
    step_up_required: 'Confirm your identity to continue',
    refresh_invalid: 'The refresh token is not valid',
    refresh_expired: 'Your session has expired',
    refresh_revoked: 'Your session has ended',
    refresh_reused: 'The refresh token was used before',
    invalid_client: 'The client is not authenticated',
    cross_site_request: 'The request comes from another site',
    current_password_wrong: 'Incorrect current password',
    reauthentication_failed: 'Re-authentication failed',
    factor_required: 'Two-step verification is required',
    forbidden: 'Not allowed',
    unsupported_requirement: 'The requirement cannot be checked',
    not_found: 'Not found',
    method_not_allowed: 'Method not allowed',
    not_acceptable: 'Not acceptable',
    request_timeout: 'The request took too long',
    email_taken: 'An account with this e-mail address already exists',
    last_admin: 'The last administrator cannot be removed',
    totp_not_started: 'No authenticator app is waiting for confirmation',
    no_second_factor: 'The account has no second factor',
    passkey_exists: 'This passkey is already registered',
    last_login_method: 'This is your only way to sign in',
    limit_reached: 'Limit reached',
    body_too_large: 'The body is too large',
    uri_too_long: 'The URL is too long',
    unsupported_media_type: 'Unsupported media type',
    expectation_failed: 'The expectation cannot be met',
    rate_limited: 'Too many requests',
    headers_too_large: 'The header fields are too large',
    internal_error: 'Internal error',
    transfer_coding_not_implemented: 'The transfer coding is not supported',
    service_unavailable: 'Temporarily unavailable',
    breach_check_unavailable: 'The password cannot be checked right now',
    overloaded: 'Too busy',
    not_ready: 'Not ready',
  },
  rateLimited: (policy: string, limit: number, window: number, wait: number) =>
    `The quota "${policy}" of ${limit} requests in ${window} s is used up. Retry in ${wait} s.`,
  compromised:
    'The password is known to be compromised. Change it first, with POST /password or POST /password/forgot.',
  tooManyPasskeys: (max: number) => `You have ${max} passkeys. Remove one first.`,
  wrong: 'is wrong',
  conditional: 'can only be true in a session that signed in with a password',
  weakPassword: {
    too_short: tooShort,
    common: 'This password is too common. Choose a few words of your own.',
    guessable:
      'This password is easy to guess, even with digits or symbols in place of letters. Choose four or more unrelated words.',
    breached:
      'This password has appeared in a data breach. Choose another one, and change it everywhere you use it.',
    context_specific:
      'This password is made of the service name or your e-mail address. Choose unrelated words.',
    unchanged: 'The new password is the same as the current one. Choose another one.',
  },
  /** The advice of zxcvbn, by its keys. */
  warnings: {
    straightRow: 'Straight rows of keys on your keyboard are easy to guess.',
    keyPattern: 'Short keyboard patterns are easy to guess.',
    simpleRepeat: 'Repeated characters like "aaa" are easy to guess.',
    extendedRepeat: 'Repeated character patterns like "abcabcabc" are easy to guess.',
    sequences: 'Common character sequences like "abc" are easy to guess.',
    recentYears: 'Recent years are easy to guess.',
    dates: 'Dates are easy to guess.',
    topTen: 'This is a heavily used password.',
    topHundred: 'This is a frequently used password.',
    common: 'This is a commonly used password.',
    similarToCommon: 'This is similar to a commonly used password.',
    wordByItself: 'Single words are easy to guess.',
    namesByThemselves: 'Single names or surnames are easy to guess.',
    commonNames: 'Common names and surnames are easy to guess.',
    userInputs: 'There should not be any personal or page related data.',
    pwned: 'Your password was exposed by a data breach on the Internet.',
  },
  suggestions: {
    l33t: "Avoid predictable letter substitutions like '@' for 'a'.",
    reverseWords: 'Avoid reversed spellings of common words.',
    allUppercase: 'Capitalize some, but not all letters.',
    capitalization: 'Capitalize more than the first letter.',
    dates: 'Avoid dates and years that are associated with you.',
    recentYears: 'Avoid recent years.',
    associatedYears: 'Avoid years that are associated with you.',
    sequences: 'Avoid common character sequences.',
    repeated: 'Avoid repeated words and characters.',
    longerKeyboardPattern: 'Use longer keyboard patterns and change typing direction multiple times.',
    anotherWord: 'Add more words that are less common.',
    useWords: 'Use multiple words, but avoid common phrases.',
    noNeed: 'You can create strong passwords without using symbols, numbers, or uppercase letters.',
    pwned: 'If you use this password elsewhere, you should change it.',
  },
  /** What is wrong with a field; each follows its name and a colon. */
  fields: {
    invalid: 'The request is not valid.',
    missing: 'is missing',
    unknown: 'is not a known field',
    unknownOnes: (names: string) => `contains unknown fields: ${names}`,
    otherForm: 'has a form that is not allowed',
    mustBe: (what: string) => `must be ${what}`,
    or: ' or ',
    types: {
      string: 'a string',
      object: 'an object',
      record: 'an object',
      array: 'a list',
      int: 'a whole number',
      number: 'a number',
      boolean: 'true or false',
      null: 'null',
      other: 'of another type',
    },
    formats: {
      uuid: 'a UUID',
      datetime: 'a time such as 2026-11-22T12:00:00Z',
      date: 'a date such as 2026-11-22',
      url: 'a URL',
      email: 'an e-mail address',
      base64url: 'base64url',
      other: 'in another form',
    },
    atMost: {
      characters: (max: string) => `must have ${max} characters at most`,
      entries: (max: string) => `must have ${max} entries at most`,
      value: (max: string) => `must be ${max} at most`,
    },
    atLeast: {
      characters: (min: string) => `must have ${min} characters at least`,
      entries: (min: string) => `must have ${min} entries at least`,
      value: (min: string) => `must be ${min} at least`,
    },
    text: 'must be a string',
    textOrNull: 'must be a string, or null for none',
    withoutNul: 'must not contain NUL or unpaired surrogates',
    bytesAtMost: (max: number) => `must have ${max} bytes at most`,
    oneLine: 'must be one line, without control characters',
    between: (min: number, max: number) => `must have ${min} to ${max} characters`,
    sixDigits: 'must be the six digits that the app shows',
    oneChange: 'must contain at least one change',
  },
  /** Why an e-mail address is not accepted. */
  email: {
    empty: 'must not be empty',
    tooLong: (max: number) => `must have at most ${max} characters`,
    unprintable: 'must not contain line breaks, control characters or unpaired surrogates',
    spaceAround: 'must not begin or end with a space',
    withName: 'must be the address alone, without a name and angle brackets',
    several: 'must be one address, not several',
    noAt: 'must contain an @, as in name@example.com',
    noLocalPart: 'must have a name before the @',
    quoted: 'must not have a quoted name before the @',
    localTooLong: (max: number) => `must have at most ${max} characters before the @`,
    space: 'a space',
    localCharacter: (name: string) => `must not contain ${name} before the @`,
    localDots: 'must not begin or end with a dot or have two dots in a row before the @',
    noDomain: 'must have a domain after the @',
    ipAddress: 'must have a domain after the @, not an IP address',
    noDot: 'must have a domain with a dot after the @, as in example.com',
    domainDots: 'must not have a domain that begins or ends with a dot, or has two in a row',
    domainCharacter: (name: string) => `must not contain ${name} after the @`,
    endsWithNumber: 'must not have a domain that ends with a number',
    otherSpelling: (domain: string) => `must have the domain in its usual spelling after the @: ${domain}`,
    domainForm:
      'must have a domain whose parts have 1 to 63 letters, digits and hyphens, without a hyphen at an end',
  },
};

export type ProblemTexts = typeof problems;

/** Every kind of audit event, with a short text for the owner of the account. */
export const events = {
  signup: 'The account was created',
  signup_repeated: 'A sign-up used the address of the account',
  login: 'Signed in',
  login_failed: 'A sign-in failed',
  login_mfa_required: 'The password was correct; a second factor was required',
  mfa_failed: 'A second factor was wrong',
  logout: 'Signed out',
  session_ended: 'A session was ended',
  sessions_revoked: 'Sessions were ended',
  refresh_reused: 'A refresh token was reused: the session was ended',
  credential_exchanged: 'A device received a new sign-in credential',
  reauthenticated: 'The user re-authenticated',
  reauthentication_failed: 'A re-authentication failed',
  password_changed: 'The password was changed',
  password_reset_requested: 'A password reset was requested',
  password_reset: 'The password was reset with a mailed link',
  email_change_requested: 'A change of the e-mail address was requested',
  email_changed: 'The e-mail address was changed',
  email_verified: 'The e-mail address was verified',
  profile_changed: 'The profile was changed',
  account_exported: 'The data of the account was exported',
  account_deleted: 'The account was deleted',
  passkey_added: 'A passkey was added',
  passkey_renamed: 'A passkey was renamed',
  passkey_removed: 'A passkey was removed',
  passkey_suspicious: 'A passkey may have been copied: its counter did not increase',
  passkey_backup_enabled: 'A passkey can now be backed up or synchronised to other devices',
  passkey_backup_refused: 'A passkey was refused: it no longer reports that it can be backed up',
  passkey_disabled: 'A passkey was disabled: its key is not secure',
  totp_added: 'An authenticator app was added',
  totp_removed: 'The authenticator app was removed',
  recovery_codes_made: 'Recovery codes were created',
  recovery_code_used: 'A recovery code was used',
  authenticator_locked: 'Too many failed attempts: an authenticator was locked',
  user_created: 'The account was created by an administrator',
  user_disabled: 'The account was disabled',
  user_enabled: 'The account was enabled again',
  user_unlocked: 'The failed attempts at the account were cleared by an administrator',
  user_role_changed: 'The role was changed',
  user_reset: 'Sign-in was reset by an administrator',
  users_imported: 'Accounts were imported',
  users_exported: 'Accounts were exported',
  admin_viewed: 'An administrator viewed the account',
  key_rotated: 'The signing key was rotated',
  key_revoked: 'A signing key was revoked',
  secrets_rewrapped: 'Data at rest was re-encrypted under the first secret',
  strategy_started: 'A node started with a strategy',
  client_added: 'A service client was added',
  client_removed: 'A service client was removed',
  audit_pruned: 'Expired events were deleted',
};

export type EventTexts = Readonly<Record<keyof typeof events, string>>;
