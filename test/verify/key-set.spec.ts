import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { createVerifier, KeysUnavailable, type VerifierOptions } from '../../src/verify/verify.entry.js';
import { answer, keySet, startIssuer, type TestIssuer } from '../support/issuer.js';
import { newKey, publicJwk } from '../support/jwt.js';
import { until, verdictOf } from '../support/verifiers.js';

/** Lets time pass, for both clocks of this process, without waiting. */
let passed = 0;
const [wall, monotonic] = [Date.now.bind(Date), performance.now.bind(performance)];

function pass(seconds: number): void {
  passed += seconds * 1000;
}

describe('changed, failing and forged keys', () => {
  let issuer: TestIssuer;
  beforeEach(async () => {
    passed = 0;
    jest.spyOn(Date, 'now').mockImplementation(() => wall() + passed);
    jest.spyOn(performance, 'now').mockImplementation(() => monotonic() + passed);
    issuer = await startIssuer();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await issuer.close();
  });

  const verifierOfIssuer = (options: Partial<VerifierOptions> = {}) =>
    createVerifier({ issuer: issuer.origin, audience: issuer.audience, ...options });

  it('a hundred concurrent requests share one read of the key set, and none happens before the first', async () => {
    const verifier = verifierOfIssuer();
    expect(issuer.asked).toEqual([]);
    const tokens = Array.from({ length: 100 }, () => issuer.token());
    const verdicts = await Promise.all(tokens.map((token) => verdictOf(verifier, token)));
    expect(new Set(verdicts)).toEqual(new Set(['good']));
    expect(issuer.asked).toEqual(['/.well-known/jwks.json']);
  });

  it('invented key ids cause one read per five seconds', async () => {
    const verifier = verifierOfIssuer();
    const flood = async () => {
      const tokens = Array.from({ length: 50 }, () => issuer.token({}, newKey('ES256')));
      const verdicts = await Promise.all(tokens.map((token) => verdictOf(verifier, token)));
      expect(new Set(verdicts)).toEqual(new Set(['unknown_key']));
    };
    await flood();
    expect(issuer.asked).toHaveLength(1);
    pass(4);
    await flood();
    expect(issuer.asked).toHaveLength(1);
    pass(2);
    await flood();
    await flood();
    expect(issuer.asked).toHaveLength(2);
  });

  it('a rotation refuses no good token: new keys are found immediately, old ones go with the key set [J16, pain 11]', async () => {
    issuer.keys = keySet([publicJwk(issuer.key)], { 'cache-control': 'public, max-age=60' });
    const verifier = verifierOfIssuer();
    const old = issuer.token();
    expect(await verdictOf(verifier, old)).toBe('good');
    const next = newKey('PS256');
    issuer.keys = keySet([publicJwk(next)], { 'cache-control': 'public, max-age=60' });
    expect(await verdictOf(verifier, old)).toBe('good');
    pass(6);
    expect(await verdictOf(verifier, issuer.token({}, next))).toBe('good');
    // The reading that found the new key did not have the old one any more; a remembered token goes with its key.
    expect(await verdictOf(verifier, old)).toBe('unknown_key');
  });

  it('a removed key is valid until max-age of the key set, and no longer', async () => {
    issuer.keys = keySet([publicJwk(issuer.key)], { 'cache-control': 'public, max-age=60' });
    const verifier = verifierOfIssuer();
    const token = issuer.token();
    expect(await verdictOf(verifier, token)).toBe('good');
    issuer.keys = keySet([], { 'cache-control': 'public, max-age=60' });
    pass(45);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(issuer.asked).toHaveLength(1);
    pass(20);
    expect(await verdictOf(verifier, token)).toBe('unknown_key');
  });

  it('an ageing key set is read in the background before a request must wait', async () => {
    issuer.keys = keySet([publicJwk(issuer.key)], { 'cache-control': 'public, max-age=60' });
    const verifier = verifierOfIssuer();
    await verifier.verify(issuer.token());
    pass(50);
    const token = issuer.token();
    const serve = issuer.keys;
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    issuer.keys = (request, response) => void held.then(() => serve(request, response));
    // The answer to the reading is held back until the verdict is there.
    expect(await verdictOf(verifier, token)).toBe('good');
    release();
    expect(await until('2', async () => String(issuer.asked.length))).toBe('2');
  });

  it('a key set is used for ten minutes at most, less the time in caches', async () => {
    const headers = { 'cache-control': 'public, max-age=86400', age: '0' };
    issuer.keys = keySet([publicJwk(issuer.key)], headers);
    const verifier = verifierOfIssuer();
    await verifier.verify(issuer.token());
    issuer.keys = keySet([publicJwk(issuer.key)], { 'cache-control': 'max-age=60', age: '50' });
    pass(601);
    await verifier.verify(issuer.token());
    expect(issuer.asked).toHaveLength(2);
    pass(11);
    await verifier.verify(issuer.token());
    expect(issuer.asked).toHaveLength(3);
  });

  it('cached verdicts are checked against the clock each time [incident 9]', async () => {
    const verifier = verifierOfIssuer({ clockToleranceSeconds: 0 });
    const token = issuer.token({ exp: Math.floor(Date.now() / 1000) + 30 });
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(31);
    expect(await verdictOf(verifier, token)).toBe('expired');
  });

  it('tolerates the configured clock skew, and no more [J6]', async () => {
    const now = Math.floor(Date.now() / 1000);
    const token = issuer.token({ exp: now + 1, nbf: now + 1 });
    pass(2);
    expect(await verdictOf(verifierOfIssuer({ clockToleranceSeconds: 0 }), token)).toBe('expired');
    pass(50);
    expect(await verdictOf(verifierOfIssuer(), token)).toBe('expired');
    expect(await verdictOf(verifierOfIssuer({ clockToleranceSeconds: 60 }), token)).toBe('good');
    pass(10);
    expect(await verdictOf(verifierOfIssuer({ clockToleranceSeconds: 60 }), token)).toBe('expired');
  });

  describe('outage', () => {
    it('at the start gives no verdict, ends within a second, and costs one request per second', async () => {
      const errors: Error[] = [];
      const serve = issuer.keys;
      issuer.keys = answer('', 500);
      const verifier = verifierOfIssuer({ onError: (error) => errors.push(error) });
      const tokens = Array.from({ length: 20 }, () => issuer.token());
      for (const token of tokens) expect(await verdictOf(verifier, token)).toBe('KeysUnavailable');
      expect(issuer.asked).toHaveLength(1);
      expect(errors[0]?.message).toBe(`${issuer.origin}/.well-known/jwks.json answered 500`);
      issuer.keys = serve;
      pass(1.1);
      for (const token of tokens) expect(await verdictOf(verifier, token)).toBe('good');
    });

    it('later has no effect while the key set is young enough, then gives no verdict', async () => {
      const verifier = verifierOfIssuer();
      const token = issuer.token({ exp: Math.floor(Date.now() / 1000) + 3600 });
      expect(await verdictOf(verifier, token)).toBe('good');
      issuer.keys = (request) => request.socket.destroy();
      pass(590);
      expect(await verdictOf(verifier, token)).toBe('good');
      // Whose key it is cannot be told any more, of a token that claims a key that may be new.
      expect(await verdictOf(verifier, issuer.token({}, newKey('ES256')))).toBe('KeysUnavailable');
      pass(11);
      expect(await verdictOf(verifier, token)).toBe('KeysUnavailable');
      expect(await verdictOf(verifier, 'nonsense')).toBe('malformed');
    });
  });

  it.each<[string, (issuer: TestIssuer) => void]>([
    ['no JSON', (to) => (to.keys = answer('<html>'))],
    ['null', (to) => (to.keys = answer('null'))],
    ['a list', (to) => (to.keys = answer('[]'))],
    ['no keys', (to) => (to.keys = answer('{}'))],
    ['keys that are none', (to) => (to.keys = keySet([null, 'key']))],
    ['bytes that are no UTF-8', (to) => (to.keys = (_q, response) => void response.end(Buffer.from([0xff])))],
    ['more than a thousand keys', (to) => (to.keys = keySet(Array.from({ length: 1001 }, () => ({}))))],
    ['more than a megabyte', (to) => (to.keys = keySet([{ x: 'x'.repeat(1_100_000) }, publicJwk(to.key)]))],
    ['404', (to) => (to.keys = answer(JSON.stringify({ keys: [publicJwk(to.key)] }), 404))],
    ['201', (to) => (to.keys = answer(JSON.stringify({ keys: [publicJwk(to.key)] }), 201))],
    ['a redirect', (to) => (to.keys = answer('', 302, { location: `${to.origin}/elsewhere` }))],
    [
      'half an answer',
      (to) =>
        (to.keys = (_q, response) => {
          response.writeHead(200, { 'content-length': '1000' }).write('{"keys":[');
          setTimeout(() => response.destroy(), 50);
        }),
    ],
    [
      'its own private key',
      (to) => (to.keys = keySet([{ ...publicJwk(to.key), ...to.key.privateKey.export({ format: 'jwk' }) }])),
    ],
    [
      'a prime of another key',
      (to) => (to.keys = keySet([publicJwk(to.key), { kty: 'RSA', kid: 'x', p: 'AQ' }])),
    ],
    [
      'a symmetric key',
      (to) => (to.keys = keySet([publicJwk(to.key), { kty: 'oct', kid: 'x', k: 'c2VjcmV0' }])),
    ],
    [
      'one key id twice',
      (to) => (to.keys = keySet([publicJwk(to.key), { ...publicJwk(newKey('ES256')), kid: to.key.kid }])),
    ],
    [
      'a point off the curve',
      (to) => (to.keys = keySet([{ ...publicJwk(to.key), y: publicJwk(to.key)['x'] }])),
    ],
  ])('a key set that is %s gives no verdict', async (_what, break_) => {
    break_(issuer);
    const verifier = verifierOfIssuer();
    expect(await verdictOf(verifier, issuer.token())).toBe('KeysUnavailable');
    const failure = await verifier.verify(issuer.token()).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(KeysUnavailable);
    expect(failure).toMatchObject({ status: 503, code: 'keys_unavailable', retryAfter: 5 });
    expect(issuer.asked).toHaveLength(1);
  });

  it('an issuer that does not answer is given up after five seconds', async () => {
    issuer.keys = () => undefined;
    const before = monotonic();
    expect(await verdictOf(verifierOfIssuer(), issuer.token())).toBe('KeysUnavailable');
    expect(monotonic() - before).toBeLessThan(8000);
  });

  it.each<[string, (jwk: Record<string, unknown>) => Record<string, unknown>]>([
    ['for another algorithm', (jwk) => ({ ...jwk, alg: 'ES384' })],
    ['for no algorithm', (jwk) => ({ ...jwk, alg: undefined })],
    ['for encryption', (jwk) => ({ ...jwk, use: 'enc' })],
    ['for signing alone', (jwk) => ({ ...jwk, key_ops: ['sign'] })],
    [
      'of another kind than its algorithm',
      (jwk) => ({ ...publicJwk(newKey('RS256')), kid: jwk['kid'], alg: 'ES256' }),
    ],
    ['of another curve', (jwk) => ({ ...publicJwk(newKey('ES256', { curve: 'P-384' })), kid: jwk['kid'] })],
    ['without an id', (jwk) => ({ ...jwk, kid: undefined })],
    ['with an id that is no text', (jwk) => ({ ...jwk, kid: 7 })],
  ])('ignores a key %s', async (_what, change) => {
    issuer.keys = keySet([change(publicJwk(issuer.key))]);
    expect(await verdictOf(verifierOfIssuer(), issuer.token())).toBe('unknown_key');
  });

  it('refuses RSA keys of 1024 bits, and uses the others of the set [J14, fault 25]', async () => {
    const weak = newKey('RS256', { bits: 1024 });
    issuer.keys = keySet([publicJwk(weak), publicJwk(issuer.key)]);
    const verifier = verifierOfIssuer();
    expect(await verdictOf(verifier, issuer.token({}, weak))).toBe('KeysUnavailable');
    expect(await verdictOf(verifier, issuer.token())).toBe('good');
  });

  const evenOf = (n: unknown) => {
    const bytes = Buffer.from(String(n), 'base64url');
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) & 0xfe;
    return bytes.toString('base64url');
  };
  it.each<[string, (jwk: Record<string, unknown>) => Record<string, unknown>]>([
    ['exponent 1', (jwk) => ({ ...jwk, e: 'AQ' })],
    ['exponent 3', (jwk) => ({ ...jwk, e: 'Aw' })],
    ['exponent 65535', (jwk) => ({ ...jwk, e: '__8' })],
    ['an even exponent', (jwk) => ({ ...jwk, e: Buffer.from([1, 0, 2]).toString('base64url') })],
    ['no exponent', ({ e: _e, ...jwk }) => jwk],
    ['an even modulus', (jwk) => ({ ...jwk, n: evenOf(jwk['n']) })],
    ['no modulus', (jwk) => ({ ...jwk, n: '' })],
  ])('refuses an RSA key with %s [J14, fault 25]', async (_what, change) => {
    const key = newKey('RS256');
    issuer.keys = keySet([change(publicJwk(key))]);
    expect(await verdictOf(verifierOfIssuer(), issuer.token({}, key))).toBe('KeysUnavailable');
  });

  it('ignores keys of unknown types', async () => {
    const unknown = [{ kty: 'OKP', crv: 'Ed25519', kid: 'a', alg: 'EdDSA', x: 'AA' }, { kty: 'new' }, {}];
    issuer.keys = keySet([...unknown, publicJwk(issuer.key)]);
    expect(await verdictOf(verifierOfIssuer(), issuer.token())).toBe('good');
  });
});
