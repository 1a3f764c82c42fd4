import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { startApp, type TestApp } from '../support/app.js';
import { signIn } from '../support/strategies.js';
import { codeAt, forgetSteps, stepOfNow } from '../support/totp.js';
import { beginSignIn } from '../support/second-factors.js';

describe("oathtool, Debian's authenticator app of the OATH Toolkit", () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' } });
  });
  afterAll(() => app.close());

  const oathtool = (...args: string[]) => execFileSync('oathtool', args, { encoding: 'utf8' }).trim();

  it('creates codes that confirm an app and sign in', async () => {
    const { client, email } = await signIn(app);
    const { secret } = (await client.post('/totp')).body;
    const step = await stepOfNow(app);
    const reply = await client.post('/totp/confirm', { code: oathtool('--totp', '-b', secret) });
    expect(reply.status).toBe(204);
    await forgetSteps(app);
    const code = oathtool('--totp', '-b', secret);
    const completed = await app.client.post('/mfa', { mfa_token: await beginSignIn(app, email), code });
    expect(completed.status).toBe(200);
    const codes = oathtool('--totp', '-b', '-w', '3', `--now=@${step * 30}`, secret).split('\n');
    expect(codes).toEqual([0, 1, 2, 3].map((offset) => codeAt(secret, step + offset)));
  });
});
