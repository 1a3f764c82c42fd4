import type { Reply } from '../../client/client.entry.js';

/** What the sections of the account page show. */
export interface SectionProps {
  readonly account: Reply<'GET /users/me'>;
  readonly methods: Reply<'GET /users/me/sign-in-methods'>;
  /** Reads the account again, after a change. */
  reload(): Promise<void>;
}
