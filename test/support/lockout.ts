import { afterAll, beforeAll, beforeEach, expect } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, type TestApp } from './app.js';
import type { Reply } from './client.js';
import { PASSWORD, signUp } from './strategies.js';

/** Room for many hashes to wait: what is counted here is guesses. */
export const ROOM = { ARGON2_CONCURRENCY: '16' };

export const WRONG = 'a wrong passphrase of some length';

/** Networks from which no user signed in. */
export const HOME = '192.0.2.10';
export const OFFICE = '192.0.2.20';

export const stranger = (index: number) => `198.51.${index >> 8}.${index & 255}`;

export let app: TestApp;
export let sibling: TestApp;
/** How many accounts there are, each of a domain of its own. */
export let domains = 0;
/** The account of the test that runs. */
export let email = '';

export const guess = (
  node: TestApp,
  { from, password = WRONG, address = email }: { from: string; password?: string; address?: string },
): Promise<Reply> => node.client.send('POST', '/login', { email: address, password }, {}, from);

/** The right password from a place. */
export const enter = (from: string, node = app): Promise<Reply> => guess(node, { from, password: PASSWORD });

export interface Counter {
  readonly network: string;
  readonly failures: number;
  readonly locked_until: Date | null;
  /** Seconds that it is still locked; null for an open one. */
  readonly left: number | null;
  readonly updated_at: Date;
}

export const subject = (address: string) => sql`sha256(convert_to(${address}, 'UTF8'))`;

/** The counters of an address, the one over all networks first. */
export function counters(address = email): Promise<Counter[]> {
  return app.query(
    sql<Counter>`select network, failures, locked_until, updated_at,
        case when locked_until > now() then extract(epoch from locked_until - now())::float8 end as left
      from guess_counters where subject = ${subject(address)} order by network`,
  );
}

/** Lets all delays of an address pass. */
export async function pass(address = email): Promise<void> {
  await app.query(
    sql`update guess_counters set locked_until = now() - interval '1 second' where subject = ${subject(address)} and locked_until is not null`,
  );
}

/** As if so many guesses from elsewhere had been wrong, a while ago. */
export async function failBefore(failures: number, network = '', address = email): Promise<void> {
  await app.query(
    sql`insert into guess_counters (authenticator, subject, network, is_account, failures)
        values ('password', ${subject(address)}, ${network}, true, ${failures})
        on conflict (authenticator, subject, network) do update set failures = ${failures}, locked_until = null`,
  );
}

/** Why sign-ins were refused, in order, first at one node, then at the other. The log has every one. */
export function refusals(address = email, nodes = [app, sibling]): unknown[] {
  return nodes
    .flatMap(({ logs }) => logs)
    .filter((line) => line['event'] === 'login_failed' && isAt(line['email'], address))
    .map(({ reason }) => reason);
}

/** Whether a masked address is of the same domain. */
const isAt = (masked: unknown, address: string) => String(masked).split('@')[1] === address.split('@')[1];

export function expectRefused(reply: Reply): void {
  expect(reply.status).toBe(401);
  expect(reply.body['code']).toBe('invalid_credentials');
}

/** Registers hooks: two nodes for all tests, and an account for each. */
export function bootTwoNodes(): void {
  beforeAll(async () => {
    app = await startApp({ env: ROOM });
    sibling = await startApp({ env: ROOM, sibling: app });
  });
  afterAll(async () => {
    await sibling.close();
    await app.close();
  });
  // Every test has an account whose masked address is its own.
  beforeEach(async () => {
    domains += 1;
    email = await signUp(app, `victim@lockout${domains}.example`);
  });
}
