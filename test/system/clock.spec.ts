import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, type TestApp } from '../support/app.js';
import { onServer } from '../support/database.js';
import { decodeToken } from '../support/jwt.js';
import { endAllPrograms, startProgram, until } from '../support/process.js';
import { PASSWORD, signUp } from '../support/strategies.js';
import { given } from '../support/given.js';

/** Debian's libfaketime, which makes a process see another time than the machine. */
const LIBRARY = [
  '/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1',
  '/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1',
].find((path) => existsSync(path));

/** The embedded database takes its time from the process: there is nothing to differ from. */
const describeWithFaketime = onServer ? describe : describe.skip;

describeWithFaketime('a node whose clock is ten minutes wrong [F6, fault 7]', () => {
  let right: TestApp;
  let email: string;
  let folder: string;
  beforeAll(async () => {
    right = await startApp({ env: { AUTH_STRATEGY: 'jwt' } });
    email = await signUp(right);
    folder = mkdtempSync(join(tmpdir(), 'traffy-clock-'));
  });
  afterEach(endAllPrograms);
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await right.close();
  });

  const setClock = (offset: string) => writeFileSync(join(folder, 'offset'), offset);

  /** Starts a node on the same database that sees the time that `setClock` sets, also while it runs. */
  async function startWrong(offset: string): Promise<string> {
    setClock(offset);
    const program = startProgram({
      env: {
        ...right.testDatabase.env,
        AUTH_STRATEGY: 'jwt',
        AUTH_SECRETS: right.config.auth.AUTH_SECRETS.join(','),
        PUBLIC_URL: right.config.app.PUBLIC_URL,
        LD_PRELOAD: LIBRARY ?? '',
        FAKETIME_TIMESTAMP_FILE: join(folder, 'offset'),
        FAKETIME_NO_CACHE: '1',
        FAKETIME_DONT_FAKE_MONOTONIC: '1',
        // So that the loader of another program, such as npm, keeps quiet.
        FAKETIME_DONT_RESET: '1',
      },
    });
    return program.ready();
  }

  const post = async (origin: string, path: string, body: object) => {
    const reply = await fetch(`${origin}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    // oxlint-disable-next-line typescript/no-explicit-any -- a test looks into any reply
    return { status: reply.status, date: reply.headers.get('date'), body: (await reply.json()) as any };
  };
  const me = async (origin: string, token: string) =>
    (await (await fetch(`${origin}/me`, { headers: { authorization: `Bearer ${token}` } })).json()) as {
      logged_in: boolean;
    };

  it.each(['+600', '-600'])(
    "(%s s) stamps tokens by the database's clock and accepts those of other nodes",
    async (offset) => {
      const wrong = await startWrong(offset);
      const signedIn = await post(wrong, '/login', { email, password: PASSWORD });
      expect(signedIn.status).toBe(200);
      // The test means something only if the process really sees another time.
      expect(Math.abs(Date.parse(signedIn.date ?? '') - Date.now() - Number(offset) * 1000)).toBeLessThan(
        5_000,
      );

      const token = signedIn.body.access_token as string;
      const { claims } = decodeToken(token);
      const [database] = await right.query(
        sql<{ now: number }>`select extract(epoch from now())::float8 as now`,
      );
      expect(Math.abs(Number(claims['iat']) - Number(database?.now))).toBeLessThan(3);
      expect(Number(claims['exp']) - Number(claims['iat'])).toBe(600);
      expect((await right.client.get('/me', { authorization: `Bearer ${token}` })).body['logged_in']).toBe(
        true,
      );
      expect(await me(wrong, token)).toEqual({ logged_in: true, email });

      const elsewhere = await right.client.post('/login', { email, password: PASSWORD });
      expect(await me(wrong, elsewhere.body['access_token'])).toEqual({ logged_in: true, email });
    },
  );

  it('keeps users signed in when its clock is corrected or set wrong', async () => {
    const node = await startWrong('+0');
    const signedIn = await post(node, '/login', { email, password: PASSWORD });
    let { access_token: access, refresh_token: refresh } = signedIn.body as Record<string, string>;
    for (const offset of ['+600', '-600', '+0']) {
      setClock(offset);
      expect(await me(node, access ?? '')).toEqual({ logged_in: true, email });
      const first = await post(node, '/refresh', { refresh_token: refresh });
      expect(first.status).toBe(200);
      // F4: a repeat within the grace time gets the same successor, whatever this machine thinks the time is.
      const again = await post(node, '/refresh', { refresh_token: refresh });
      expect(again.body.refresh_token).toBe(first.body.refresh_token);
      ({ access_token: access, refresh_token: refresh } = first.body);
      await until(async () => ((await me(node, access ?? '')).logged_in ? true : undefined), 5_000);
    }
  });

  it("detects reuse after the grace period by the database's clock, and keeps revoked sessions revoked [F6]", async () => {
    const node = await startWrong('-600');
    const { body } = await post(node, '/login', { email, password: PASSWORD });
    const first = await post(node, '/refresh', { refresh_token: body.refresh_token });
    await post(node, '/refresh', { refresh_token: first.body.refresh_token });
    await given.redeemedEarlier(right, body.session.id, '20 seconds');
    expect((await post(node, '/refresh', { refresh_token: body.refresh_token })).body.code).toBe(
      'refresh_reused',
    );
    setClock('+600');
    expect((await post(node, '/refresh', { refresh_token: first.body.refresh_token })).body.code).toBe(
      'refresh_revoked',
    );
  });
});
