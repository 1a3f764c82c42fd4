import { inspectedView } from '../auth/admin/user-view.js';
import type { InspectedUser } from '../auth/admin/administered-user.js';
import type { Lock } from '../auth/lockout/locks.js';
import { type Output, print, table } from './command.js';

const AUTHENTICATORS: Readonly<Record<Lock['authenticator'], string>> = {
  password: 'The password',
  totp: 'The authenticator app',
  recovery_code: 'Recovery codes',
  passkey: 'Passkeys',
};

/** Prints an account, with the locks on it in words. */
export function showUser(options: Output, user: InspectedUser, told: string): void {
  const shown = inspectedView(user);
  const { locks: _locks, ...plain } = shown;
  print(
    options,
    { user: shown },
    [
      told,
      table(
        ['', ''],
        Object.entries(plain).map(([name, value]) => [
          name,
          typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value),
        ]),
      ),
      ...user.locks.map(lockText),
      ...(user.locks.length > 0
        ? [`To forget the guesses, and open what is locked: users unlock ${user.id}`]
        : []),
    ].join('\n'),
  );
}

function lockText({ authenticator, refuses, network, failures, until }: Lock): string {
  const whose = {
    network: `from ${network}`,
    unknown_networks: 'from networks that the person did not sign in from',
    everybody: 'from everywhere',
  }[refuses];
  const end =
    until === null
      ? 'until a sign-in from elsewhere, a reset or users unlock'
      : `until ${until.toISOString()}`;
  return `Locked after ${failures} wrong guesses: ${AUTHENTICATORS[authenticator]}, ${whose}, ${end}.`;
}
