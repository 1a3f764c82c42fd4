import { demoUsers } from './demo-users.ts';
import type { Event, Session, User } from './user.ts';

/** What the next calls meet. */
export type Situation = 'normal' | 'second_factor' | 'step_up' | 'rate_limited' | 'locked_out' | 'offline';

/** All that the mock knows. It is kept in the session storage: a reload keeps it, and a new tab begins again. */
export interface State {
  situation: Situation;
  /** When a rate limit ends, in milliseconds since 1970. */
  limitedUntil: number;
  /** The user who is signed in, and the session. */
  current: { readonly user: string; readonly session: string } | null;
  /** Who waits for the second factor. */
  pending: string | null;
  /** The newest request by mail: whom its link is for. */
  mailedTo: string | null;
  /** The brand colour; null for BRAND_COLOR. */
  color: string | null;
  /** Whether the controls are open. */
  isOpen: boolean;
  users: User[];
}

const KEY = 'traffy mock';

export const state: State = read();

const listeners: (() => void)[] = [];

/** Keeps what was changed in `state`. */
export function save(): void {
  sessionStorage.setItem(KEY, JSON.stringify(state));
  for (const listener of listeners) listener();
}

/** Calls the listener after every change. */
export function onSave(listener: () => void): void {
  listeners.push(listener);
}

/** Forgets everything, as if the tab were new. */
export function forget(): void {
  sessionStorage.removeItem(KEY);
}

function read(): State {
  const kept = sessionStorage.getItem(KEY);
  if (kept !== null) return JSON.parse(kept) as State;
  return {
    situation: 'normal',
    limitedUntil: 0,
    current: null,
    pending: null,
    mailedTo: null,
    color: null,
    isOpen: false,
    users: demoUsers(),
  };
}

/** The user who is signed in; null for none. */
export function currentUser(): User | null {
  const { current } = state;
  return (current && userBy('id', current.user)) ?? null;
}

export function userBy(member: 'id' | 'email', value: string): User | undefined {
  return state.users.find((user) => user[member].toLowerCase() === value.trim().toLowerCase());
}

/** Starts a session of this browser. */
export function startSession(user: User): Session {
  const now = new Date().toISOString();
  const session: Omit<Session, 'current'> = {
    id: crypto.randomUUID(),
    strategy: 'session',
    created_at: now,
    last_used_at: now,
    ip: '127.0.0.1',
    device: 'This browser',
    user_agent: navigator.userAgent,
  };
  user.sessions.unshift(session);
  state.current = { user: user.id, session: session.id };
  state.pending = null;
  note(user, 'login', 'Signed in');
  return { ...session, current: true };
}

/** Ends sessions of a user, and says how many. */
export function endSessions(user: User, ends: (session: { readonly id: string }) => boolean): number {
  const ended = user.sessions.filter(ends);
  user.sessions = user.sessions.filter((session) => !ends(session));
  if (ended.some(({ id }) => id === state.current?.session)) state.current = null;
  return ended.length;
}

/** Adds an event to the activity of a user. */
export function note(user: User, kind: Event['kind'], description: string): void {
  user.events.unshift({
    id: crypto.randomUUID(),
    kind,
    at: new Date().toISOString(),
    description,
    actor: 'user',
    session_id: state.current?.session ?? null,
    ip: '127.0.0.1',
    device: 'This browser',
    user_agent: navigator.userAgent,
    details: {},
  });
}
