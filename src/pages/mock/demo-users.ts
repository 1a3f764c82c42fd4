import type { Event, User } from './user.ts';

export const DEMO_USER = 'ada@example.com';
export const DEMO_ADMIN = 'grace@example.com';

const MINUTE = 60_000;
const DAY = 1_440 * MINUTE;
/** More than a page of the list of accounts. */
const OTHERS = 24;

const ago = (milliseconds: number): string => new Date(Date.now() - milliseconds).toISOString();

/** A user, an administrator, and more accounts than a page of the list has. */
export function demoUsers(): User[] {
  const others = Array.from({ length: OTHERS }, (_, index) => {
    const user = demoUser(`user${String(index + 1).padStart(2, '0')}@example.com`, index + 1);
    return index === 2 ? { ...user, disabledAt: ago(DAY), sessions: [] } : user;
  });
  return [
    { ...demoUser(DEMO_USER, 3), name: 'Ada Lovelace' },
    { ...demoUser(DEMO_ADMIN, 40), name: 'Grace Hopper', role: 'admin', hasTotp: true, codes: demoCodes() },
    ...others,
  ];
}

/** Ten new recovery codes. */
export function demoCodes(): string[] {
  return Array.from({ length: 10 }, () =>
    crypto.randomUUID().slice(4, 13).replace('-', '').toUpperCase(),
  ).map((text) => `${text.slice(0, 4)}-${text.slice(4)}`);
}

/** @param days since it signed up; 0 for a new account, which has nothing yet. */
export function demoUser(email: string, days: number): User {
  return {
    id: crypto.randomUUID(),
    email,
    isVerified: days > 0,
    pendingEmail: null,
    name: null,
    language: null,
    role: 'user',
    createdAt: ago(days * DAY),
    disabledAt: null,
    hasTotp: false,
    codes: [],
    passkeys:
      days === 0
        ? []
        : [
            {
              id: crypto.randomUUID(),
              credential_id: 'bW9jaw',
              name: 'Laptop',
              created_at: ago(days * DAY),
              last_used_at: ago(DAY),
              is_backed_up: true,
              transports: ['internal'],
              aaguid: '00000000-0000-0000-0000-000000000000',
              is_disabled: false,
            },
          ],
    sessions:
      days === 0
        ? []
        : [device('Firefox on Linux', '192.0.2.7', 2), device('Safari on iPhone', '198.51.100.20', 1)],
    events: days === 0 ? [] : Array.from({ length: 12 }, (_, index) => demoEvent(index)),
  };
}

function device(name: string, ip: string, days: number): User['sessions'][number] {
  return {
    id: crypto.randomUUID(),
    strategy: 'session',
    created_at: ago(days * DAY),
    last_used_at: ago(days * 40 * MINUTE),
    ip,
    device: name,
    user_agent: name,
  };
}

function demoEvent(index: number): Event {
  const isLogin = index % 3 !== 0;
  return {
    id: crypto.randomUUID(),
    kind: isLogin ? 'login' : 'login_failed',
    at: ago((index + 1) * 300 * MINUTE),
    description: isLogin ? 'Signed in' : 'A sign-in failed',
    actor: 'user',
    session_id: null,
    ip: '192.0.2.7',
    device: 'Firefox on Linux',
    user_agent: null,
    details: {},
  };
}
