import { inspectedView } from '../admin/user-view.js';
import type { InspectedUser } from '../admin/administered-user.js';
import type { Lock } from '../auth/lockout/locks.js';
import { type Output, print, table } from './command.js';

const AUTHENTICATORS: Readonly<Record<Lock['authenticator'], string>> = {
  password: 'The password',
  totp: 'The authenticator app',
  recovery_code: 'Recovery codes',
  passkey: 'Passkeys',
};

/** Prints an account with its locks as sentences. */
export function showUser(options: Output, user: InspectedUser, message: string): void {
  const shown = inspectedView(user);
  const { locks: _locks, ...plain } = shown;
  print(
    options,
    { user: shown },
    [
      message,
      table(
        ['', ''],
        Object.entries(plain).map(([name, value]) => [
          name,
          typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value),
        ]),
      ),
      ...user.locks.map(lockText),
      ...(user.locks.length > 0
        ? [`To clear the counter and remove the lock: traffy users unlock ${user.id}`]
        : []),
    ].join('\n'),
  );
}

function lockText({ authenticator, refuses, network, failures, until }: Lock): string {
  const whose = {
    network: `from ${network}`,
    unknown_networks: 'from networks that the user has never signed in from',
    everybody: 'from everywhere',
  }[refuses];
  const end =
    until === null
      ? 'until a sign-in from another network, a password reset or traffy users unlock'
      : `until ${until.toISOString()}`;
  return `Locked after ${failures} failed attempts: ${AUTHENTICATORS[authenticator]}, ${whose}, ${end}.`;
}
