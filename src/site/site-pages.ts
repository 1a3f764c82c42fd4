/** A page that people open. Its entry is a folder of src/pages. */
export interface SitePage {
  readonly path: string;
  readonly entry: string;
  /** Whether mails link to it: it is there even with PAGES=off. */
  readonly isMailed: boolean;
  /** The role that it is for. */
  readonly role?: 'admin';
}

export const SITE_PAGES: readonly SitePage[] = [
  { path: '/', entry: 'home', isMailed: false },
  { path: '/login', entry: 'login', isMailed: false },
  { path: '/signup', entry: 'signup', isMailed: false },
  { path: '/forgot', entry: 'forgot', isMailed: true },
  { path: '/reset-password', entry: 'reset', isMailed: true },
  { path: '/account', entry: 'account', isMailed: false },
  { path: '/admin', entry: 'admin', isMailed: false, role: 'admin' },
  { path: '/verify-email', entry: 'verify', isMailed: true },
];

/** Where mails of earlier versions lead. Browsers keep the fragment with the token. */
export const OLD_PAGES: Readonly<Record<string, string>> = {
  '/account/verify-email': '/verify-email',
  '/account/change-email': '/verify-email?change',
  '/account/reset-password': '/reset-password',
  '/account/password': '/forgot',
};
