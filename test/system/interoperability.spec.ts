import { execFile, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import { SIGNING_ALGORITHMS } from '../../config/auth.config.js';
import { startApp, type TestApp } from '../support/app.js';
import { decodeToken, encode } from '../support/jwt.js';
import { accessTokenOf, signIn } from '../support/strategies.js';

const VERIFY = join(import.meta.dirname, '..', 'support', 'verify_token.py');
/** Debian's python has Debian's PyJWT; another one may come first on the PATH. */
const python = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import jwt, cryptography']).status === 0,
);
describe.each(SIGNING_ALGORITHMS)('PyJWT verifies through the key set, over a socket, %s', (algorithm) => {
  let app: TestApp;
  let origin: string;
  let token: string;
  beforeAll(async () => {
    app = await startApp({
      env: { AUTH_STRATEGY: 'jwt', JWT_ALGORITHM: algorithm, AUTH_AUDIENCE: 'https://api.example.com' },
    });
    origin = await app.listen();
    token = accessTokenOf(await signIn(app));
  });
  afterAll(() => app.close());

  /** What a service in Python makes of a token. */
  async function verify(
    candidate: string,
    { issuer = 'http://localhost:8000', audience = 'https://api.example.com' } = {},
  ): Promise<unknown> {
    if (python === undefined) throw new Error('This test needs python3 with PyJWT and cryptography');
    const args = [VERIFY, `${origin}/.well-known/jwks.json`, issuer, audience, algorithm];
    const output = await new Promise<string>((resolve, reject) => {
      const child = execFile(python, args, { timeout: 20_000 }, (error, stdout, stderr) =>
        error && error.code !== 1 ? reject(error) : resolve(stdout.trim() || stderr),
      );
      child.stdin?.end(candidate);
    });
    return output.startsWith('{') ? JSON.parse(output) : output;
  }

  it('accepts our token and reads our claims', async () => {
    expect(await verify(token)).toEqual(decodeToken(token).claims);
  });

  it('refuses another issuer or audience, and a changed token [J7, J13]', async () => {
    expect(await verify(token, { issuer: 'https://evil.example' })).toBe('InvalidIssuerError');
    expect(await verify(token, { audience: 'https://other.example' })).toBe('InvalidAudienceError');
    const [header, , signature] = token.split('.');
    const changed = encode({ ...decodeToken(token).claims, sub: uuidv7() });
    expect(await verify(`${header}.${changed}.${signature}`)).toBe('InvalidSignatureError');
  });
});
