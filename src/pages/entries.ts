/** The entries of the build: one for each kind of page. */
export const PAGE_ENTRIES = [
  'home',
  'login',
  'signup',
  'forgot',
  'reset',
  'verify',
  'account',
  'admin',
] as const;
