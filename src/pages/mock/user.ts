import type { Reply } from '../../client/client.entry.js';
import type { Language } from '../../texts/language.js';

export type Session = Reply<'GET /sessions'>['sessions'][number];
export type Passkey = Reply<'GET /passkeys'>['passkeys'][number];
export type Event = Reply<'GET /users/me/events'>['events'][number];

/** An account of the mock. It has no password: any is correct but one that begins with `wrong`. */
export interface User {
  readonly id: string;
  email: string;
  isVerified: boolean;
  pendingEmail: string | null;
  name: string | null;
  language: Language | null;
  role: 'user' | 'admin';
  createdAt: string;
  disabledAt: string | null;
  hasTotp: boolean;
  codes: string[];
  passkeys: Passkey[];
  sessions: Omit<Session, 'current'>[];
  events: Event[];
}
