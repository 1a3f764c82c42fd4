import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it, jest } from '@jest/globals';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { createVerifier } from '../../../src/verify/verifier.js';
import { type TestApp } from '../../support/app.js';
import { createTestDatabase, onServer } from '../../support/database.js';
import { until } from '../../support/process.js';
import { signIn } from '../../support/strategies.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import {
  closeStarted,
  kidOf,
  publishedKids,
  start,
  started,
  statusAt,
  stored,
  tokenOf,
} from '../../support/signing-keys.js';

closeStarted();

const itOnServer = onServer ? it : it.skip;

describe('automatic rotation', () => {
  const QUICK = { KEY_ROTATION_INTERVAL: '2s', JWKS_MAX_AGE: '1s' };

  it('every two seconds under load, no verifier refuses a good token [J16, pain 11, fault 8]', async () => {
    const own = await start({ env: QUICK });
    const second = await start({ env: QUICK, sibling: own });
    const origins = [await own.listen(), await second.listen()];
    const { PUBLIC_URL: issuer } = own.config.app;
    const { AUTH_AUDIENCE: audience } = own.config.auth;
    const failures: string[] = [];
    const note = (what: string) => (error: unknown) => void failures.push(`${what}: ${String(error)}`);
    const verifiers = origins.flatMap((origin) => {
      const uri = `${origin}/.well-known/jwks.json`;
      // It never asks for a key that it does not know: all must be in its cache before they sign.
      const strict = createRemoteJWKSet(new URL(uri), { cacheMaxAge: 1_000, cooldownDuration: Infinity });
      const library = createVerifier({ issuer, audience, jwksUri: uri });
      return [
        (token: string) => jwtVerify(token, strict, { issuer, audience }).catch(note('jose')),
        (token: string) => library.verify(token).catch(note('traffy/verify')),
      ];
    });
    const both = [own, second];
    const signers: string[] = [];
    const kidsSeen = new Set<string>();
    const tokens: string[] = [];
    let verifications = 0;
    let { refresh_token: refreshToken } = (await signIn(own)).reply.body;
    const deadline = performance.now() + 60_000;
    const isOver = () => (new Set(signers).size >= 4 && verifications > 500) || performance.now() > deadline;
    for (let turn = 0; !isOver(); turn += 1) {
      const node = both[turn % 2] as TestApp;
      const reply = await node.client.post('/refresh', { refresh_token: refreshToken });
      expect(reply.body).toHaveProperty('access_token');
      refreshToken = reply.body['refresh_token'];
      const token = reply.body['access_token'] as string;
      tokens.push(token);
      signers.push(kidOf(token));
      const kids = await publishedKids(node);
      expect(new Set(kids).size).toBe(kids.length);
      for (const kid of kids) kidsSeen.add(kid);
      // The newest, one of some time ago, and the very first: its key is previous for long.
      for (const each of new Set([token, tokens[turn >> 1], tokens[0]])) {
        await Promise.all(verifiers.map((verify) => verify(String(each))));
        for (const at of both) {
          const status = await statusAt(at, String(each));
          if (status !== 200) failures.push(`node: ${status}`);
        }
        verifications += verifiers.length + both.length;
      }
      await pause(20);
    }
    expect(failures).toEqual([]);
    expect(verifications).toBeGreaterThan(500);
    const kids = (await stored(own)).map(({ kid }) => kid);
    expect(new Set(kids)).toEqual(kidsSeen);
    expect(new Set(signers).size).toBeGreaterThanOrEqual(4);
    // Whichever node promoted a key, it was one of them.
    const promoted = both.flatMap(({ logs }) => logs.filter(({ event }) => event === 'signing_key_promoted'));
    expect(promoted.length).toBeGreaterThanOrEqual(3);
    expect(new Set(promoted.map(({ kid }) => kid)).size).toBe(promoted.length);
  });

  itOnServer(
    'logs an outage of the database in one line and continues after it [fault 1, fault 3]',
    async () => {
      const database = await createTestDatabase();
      const direct = new URL(database.env['DATABASE_URL'] ?? '');
      const proxy = await TcpProxy.to(direct.hostname, Number(direct.port || 5432));
      started.push(
        () => database.drop(),
        () => proxy.close(),
      );
      const own = await start({ database, env: { ...QUICK, DATABASE_URL: proxy.rewrite(direct.href) } });
      const lines = (event: string) => own.logs.filter((line) => line['event'] === event).length;
      await until(() => (lines('signing_key_promoted') > 0 ? true : undefined));
      await proxy.stop();
      await until(() => (lines('key_rotation_delayed') > 0 ? true : undefined));
      await pause(2_000);
      expect([lines('key_rotation_delayed'), lines('key_rotation_restored')]).toEqual([1, 0]);
      const promoted = lines('signing_key_promoted');
      await proxy.start();
      await until(() => (lines('signing_key_promoted') > promoted ? true : undefined));
      await until(() => (lines('key_rotation_restored') > 0 ? true : undefined));
      expect([lines('key_rotation_delayed'), lines('key_rotation_restored')]).toEqual([1, 1]);
      expect(await statusAt(own, tokenOf(await until(() => signIn(own).catch(() => undefined))))).toBe(200);
    },
  );
});

// The last: it moves the clock of every node in this process.
describe('signing lease', () => {
  it('a node whose lease has expired does not sign until it renews it [pain 11]', async () => {
    const own = await start();
    const { email } = await signIn(own);
    const now = performance.now.bind(performance);
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => now() + 131_000);
    try {
      const signInAgain = () => own.client.post('/login', { email, password: 'yourlongpassphrase' });
      const refused = await signInAgain();
      expect(refused.body['code']).toBe('service_unavailable');
      expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0);
      // The refusal made it ask.
      const reply = await until(async () => {
        const again = await signInAgain();
        return again.status === 503 ? undefined : again;
      });
      expect(reply.status).toBe(200);
    } finally {
      await own.close();
      clock.mockRestore();
    }
  });
});
