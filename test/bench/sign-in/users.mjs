import { randomBytes } from 'node:crypto';
import { FORWARDED, post } from '../harness/traffy.mjs';

/** Concurrent sign-ups. */
const AT_ONCE = 4;

/**
 * Signs up users, each with its own address and password, so that no sign-in waits for another.
 *
 * @returns the requests that sign them in.
 */
export async function signUpPeople(origin, { count, passwordBytes }) {
  const people = Array.from({ length: count }, (_, index) => ({
    account: {
      email: `person${index}@example.com`,
      password: randomBytes(passwordBytes).toString('base64').slice(0, passwordBytes),
    },
    headers: { 'x-forwarded-for': `198.18.${index >> 8}.${index & 255}` },
  }));
  const waiting = [...people];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let person = waiting.pop(); person; person = waiting.pop())
        await post(origin, '/signup', person.account, person.headers);
    }),
  );
  return people.map(({ account, headers }) => ({
    method: 'POST',
    path: '/login',
    headers: { ...FORWARDED, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(account),
  }));
}
