import { DEMO_ADMIN, DEMO_USER } from './demo-users.ts';
import { limit } from './refusals.ts';
import { currentUser, endSessions, save, type Situation, startSession, state, userBy } from './state.ts';

/** What a button of the controls does: the page then shows it. */
export interface Control {
  readonly text: string;
  /** Changes the state. */
  readonly apply: () => void;
  /** The pages that can show it; the first is opened from any other page. All can, by default. */
  readonly pages?: readonly [string, ...string[]];
}

/** Pages for signed-out people with one form. */
const FORMS = ['/login', '/signup', '/forgot', '/reset-password', '/verify-email'] as const;
const FOR_USERS = ['/account', '/admin'] as const;

export const CONTROLS: readonly Control[] = [
  { text: 'Signed out', apply: () => signOut() },
  { text: 'Signed in', apply: () => signInAs(DEMO_USER) },
  { text: 'Administrator', apply: () => signInAs(DEMO_ADMIN) },
  { text: 'Second factor', apply: () => signOut('second_factor'), pages: ['/login'] },
  { text: 'Step-up', apply: () => signInAs(currentUser()?.email ?? DEMO_USER, 'step_up'), pages: FOR_USERS },
  {
    text: 'Rate limited',
    apply: () => {
      limit();
      enter('rate_limited');
    },
    pages: [...FORMS, ...FOR_USERS],
  },
  { text: 'Locked out', apply: () => signOut('locked_out'), pages: ['/login'] },
  { text: 'Offline', apply: () => enter('offline'), pages: [...FORMS, ...FOR_USERS] },
];

/** The text of the control whose situation it is. */
export function currentControl(): string {
  const user = currentUser();
  const signedIn = user?.role === 'admin' ? 'Administrator' : 'Signed in';
  const texts: Readonly<Record<Situation, string>> = {
    normal: user ? signedIn : 'Signed out',
    second_factor: 'Second factor',
    step_up: 'Step-up',
    rate_limited: 'Rate limited',
    locked_out: 'Locked out',
    offline: 'Offline',
  };
  return texts[state.situation];
}

function enter(situation: Situation): void {
  state.situation = situation;
  save();
}

function signOut(situation: Situation = 'normal'): void {
  const user = currentUser();
  if (user) endSessions(user, ({ id }) => id === state.current?.session);
  state.pending = null;
  enter(situation);
}

function signInAs(email: string, situation: Situation = 'normal'): void {
  const user = userBy('email', email);
  if (user && currentUser() !== user) {
    signOut();
    startSession(user);
  }
  enter(situation);
}
