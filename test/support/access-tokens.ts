import { setTimeout } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { type TestApp } from './app.js';
import { type Reply } from './client.js';
import { type SignedIn } from './strategies.js';

const REFUSED = '401 credential_invalid';

export type Named = Readonly<Record<string, string>>;

export function verdictOf(reply: Reply): string {
  return reply.status === 200 ? '200' : `${reply.status} ${String(reply.body['code'])}`;
}

/** What `GET /users/me` answers to each token, in Authorization and, where it fits into one, in the cookie. */
export async function verdictsOf(app: TestApp, tokens: Named): Promise<Named> {
  const verdicts: Record<string, string> = {};
  for (const [name, token] of Object.entries(tokens)) {
    const bearer = verdictOf(await app.client.get('/users/me', { authorization: `Bearer ${token}` }));
    const cookie = /[;\s]/.test(token)
      ? bearer
      : verdictOf(await app.client.get('/users/me', { cookie: `access_token=${token}` }));
    verdicts[name] = bearer === cookie ? bearer : `Bearer: ${bearer}, cookie: ${cookie}`;
  }
  return verdicts;
}

/** The same verdict for every name. */
export function all(tokens: Named, verdict: string): Named {
  return Object.fromEntries(Object.keys(tokens).map((name) => [name, verdict]));
}

export async function expectRefused(app: TestApp, tokens: Named): Promise<void> {
  expect(await verdictsOf(app, tokens)).toEqual(all(tokens, REFUSED));
}

export async function expectAccepted(app: TestApp, tokens: Named): Promise<void> {
  expect(await verdictsOf(app, tokens)).toEqual(all(tokens, '200'));
}

/** Asks again until the verdict is the wanted one, or for ten seconds; gives the last one. */
export async function until(wanted: string, ask: () => Promise<Reply>): Promise<string> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const verdict = verdictOf(await ask());
    if (verdict === wanted || Date.now() > deadline) return verdict;
    await setTimeout(50);
  }
}

export function refreshTokenOf({ reply }: SignedIn): string {
  return reply.body['refresh_token'] as string;
}

export function errorsIn(app: TestApp): unknown[] {
  return app.logs.filter(({ level }) => Number(level) >= 50);
}
