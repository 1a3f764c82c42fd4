import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { v7 as uuidv7 } from 'uuid';
import {
  createVerifier,
  RevocationsUnavailable,
  type VerifierOptions,
} from '../../src/verify/verify.entry.js';
import { answer, keySet, startIssuer, type TestIssuer } from '../support/issuer.js';
import { newKey, publicJwk } from '../support/jwt.js';
import { explained, patient, until, verdictOf } from '../support/signed-feed.js';

const FEED = '/.well-known/revocations';

let passed = 0;
const [wall, monotonic] = [Date.now.bind(Date), performance.now.bind(performance)];

/** Lets time pass, for both clocks of this process, without waiting. */
function pass(seconds: number): void {
  passed += seconds * 1000;
}

describe('failed, forged and replayed feeds', () => {
  let issuer: TestIssuer;
  let setBack = 0;
  beforeEach(async () => {
    passed = 0;
    setBack = 0;
    jest.spyOn(Date, 'now').mockImplementation(() => wall() + passed - setBack);
    jest.spyOn(performance, 'now').mockImplementation(() => monotonic() + passed);
    issuer = await startIssuer();
  });
  afterEach(async () => {
    jest.restoreAllMocks();
    await issuer.close();
  });

  const now = () => Math.floor(Date.now() / 1000);
  const polls = () => issuer.asked.filter((url) => url.startsWith(FEED)).length;
  const listening = (
    revocations: Exclude<VerifierOptions['revocations'], undefined> = true,
    options: Partial<VerifierOptions> = {},
  ) => createVerifier({ issuer: issuer.origin, audience: issuer.audience, revocations, ...options });
  const down = () => (issuer.feed = (request) => request.socket.destroy());
  const longLived = () => issuer.token({ exp: now() + 7200 });

  it('a hundred concurrent requests share one poll', async () => {
    const verifier = listening();
    const verdicts = Array.from({ length: 100 }, () => verdictOf(verifier, issuer.token()));
    expect(new Set(await Promise.all(verdicts))).toEqual(new Set(['good']));
    for (let count = 0; count < 100; count += 1) await verifier.verify(issuer.token());
    expect(polls()).toBe(1);
  });

  it('the feed is not requested if it is disabled', async () => {
    for (const revocations of [false, undefined]) {
      const options = { issuer: issuer.origin, audience: issuer.audience };
      await createVerifier({ ...options, ...(revocations === false && { revocations }) }).verify(
        issuer.token(),
      );
    }
    expect(polls()).toBe(0);
  });

  it.each<[string, () => string]>([
    ['an access token', () => issuer.token()],
    ['of type JWT', () => issuer.document({}, { typ: 'JWT' })],
    ['an access token with the members of a feed', () => issuer.document({}, { typ: 'at+jwt' })],
    ['without a type', () => issuer.document({}, { typ: undefined })],
    ['signed by a stranger', () => issuer.document({}, { kid: issuer.key.kid }, newKey('ES256'))],
    ['signed with a key that is not listed', () => issuer.document({}, {}, newKey('ES256'))],
    ['changed', () => issuer.document().replace(/\.[^.]+\./, `.${Buffer.from('{}').toString('base64url')}.`)],
    ['not signed', () => issuer.document().replace(/[^.]+$/, '')],
    ['alg none', () => issuer.document({}, { alg: 'none' })],
    ['critical', () => issuer.document({}, { crit: ['x'] })],
    ['padded', () => `${issuer.document()}=`],
    ['of another issuer', () => issuer.document({ iss: 'https://evil.example' })],
    ['of a list of issuers', () => issuer.document({ iss: [issuer.origin] })],
    ['expired', () => issuer.document({ iat: now() - 61, exp: now() - 1 })],
    ['without an end', () => issuer.document({ exp: undefined })],
    ['from the future', () => issuer.document({ iat: now() + 30, exp: now() + 90 })],
    ['without what it answers', () => issuer.document({ since: undefined })],
    ['in answer to a cursor', () => issuer.document({ since: 'c1' })],
    ['in answer to no text', () => issuer.document({ since: 0 })],
    ['without a cursor', () => issuer.document({ cursor: undefined })],
    ['with a cursor that is an address', () => issuer.document({ cursor: '../../elsewhere?x=' })],
    ['without entries', () => issuer.document({ entries: undefined })],
    ['with an entry that nobody knows', () => issuer.document({ entries: [{ jti: 'x', exp: now() + 60 }] })],
    ['with an entry without an end', () => issuer.document({ entries: [{ sid: 'x' }] })],
    ['with an entry that is none', () => issuer.document({ entries: [null] })],
    ['with a time that is text', () => issuer.document({ entries: [{ before: 'now', exp: now() + 60 }] })],
    ['empty', () => ''],
    ['a page', () => '<html>'],
    ['nine megabytes', () => 'x'.repeat(9 * 1024 * 1024)],
  ])('a feed that is %s is refused by default and reported', async (_what, make) => {
    issuer.feed = (request, response) => answer(make())(request, response);
    const errors: Error[] = [];
    const token = issuer.token();
    const strict = listening(true, { onError: (error) => errors.push(error) });
    const failure = await strict.verify(token).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RevocationsUnavailable);
    expect(failure).toMatchObject({ status: 503, code: 'revocations_unavailable' });
    expect(errors).toHaveLength(1);
    expect(await verdictOf(strict, token)).toBe('RevocationsUnavailable');
    expect(polls()).toBe(1);
    expect(await verdictOf(listening({ onUnavailable: 'accept' }), token)).toBe('good');
  });

  it('an outage has no effect while the copy is valid, then refuses, then recovers', async () => {
    const verifier = listening();
    const token = longLived();
    const [sid, exp] = [uuidv7(), now() + 7200];
    const dead = issuer.token({ sid, exp });
    const serve = (issuer.feed = (request, response) =>
      answer(issuer.document({ entries: [{ sid, exp }] }))(request, response));
    expect(await verdictOf(verifier, token)).toBe('good');
    down();
    pass(50);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(await verdictOf(verifier, dead)).toBe('revoked, login');
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
    issuer.feed = serve;
    pass(2);
    expect(await verdictOf(verifier, token)).toBe('good');
    // What was missed meanwhile is told whole.
    expect(issuer.asked.at(-1)).toBe(FEED);
  });

  it('with accept, revoked tokens stay revoked during an outage', async () => {
    const verifier = listening({ onUnavailable: 'accept' });
    const [sid, exp] = [uuidv7(), now() + 7200];
    const dead = issuer.token({ sid, exp });
    const token = longLived();
    issuer.feed = (request, response) =>
      answer(issuer.document({ entries: [{ sid, exp }] }))(request, response);
    expect(await verdictOf(verifier, dead)).toBe('revoked, login');
    down();
    pass(600);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(await verdictOf(verifier, dead)).toBe('revoked, login');
  });

  it('maxStaleSeconds shortens the validity of a copy and cannot extend it', async () => {
    const [hasty, patient] = [listening({ maxStaleSeconds: 20 }), listening({ maxStaleSeconds: 3600 })];
    const token = longLived();
    expect(await verdictOf(hasty, token)).toBe('good');
    expect(await verdictOf(patient, token)).toBe('good');
    down();
    pass(19);
    expect(await verdictOf(hasty, token)).toBe('good');
    pass(2);
    expect(await verdictOf(hasty, token)).toBe('RevocationsUnavailable');
    expect(await verdictOf(patient, token)).toBe('good');
    pass(40);
    expect(await verdictOf(patient, token)).toBe('RevocationsUnavailable');
  });

  it('an old copy revives no token and is used until its expiry only', async () => {
    const verifier = listening();
    const [sid, exp] = [uuidv7(), now() + 7200];
    const [token, dead] = [longLived(), issuer.token({ sid, exp })];
    const innocent = issuer.document();
    pass(1);
    const newer = issuer.document({ entries: [{ sid, exp }], cursor: 'c2' });
    issuer.feed = answer(newer);
    expect(await verdictOf(verifier, dead)).toBe('revoked, login');
    issuer.feed = answer(innocent);
    for (let step = 0; step < 5; step += 1) {
      pass(10);
      expect(await verdictOf(verifier, dead)).toBe('revoked, login');
      expect(await verdictOf(verifier, token)).toBe('good');
      // It goes on from the newest it knows.
      expect(issuer.asked.at(-1)).toBe(`${FEED}?cursor=c2`);
    }
    pass(12);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
  });

  it('a copy of a slower node does not shorten a newer one', async () => {
    const verifier = listening();
    const token = longLived();
    const entries = [{ sid: uuidv7(), exp: now() + 600 }];
    const older = issuer.document({ entries, cursor: 'older' });
    pass(30);
    issuer.feed = answer(issuer.document({ entries, cursor: 'newer' }));
    expect(await verdictOf(verifier, token)).toBe('good');
    issuer.feed = answer(older);
    pass(10);
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(10);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(issuer.asked.at(-1)).toBe(`${FEED}?cursor=newer`);
    down();
    pass(30);
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
  });

  it('304 does not extend the validity of a copy', async () => {
    const verifier = listening();
    const token = longLived();
    const conditions: unknown[] = [];
    issuer.feed = (request, response) => {
      conditions.push(request.headers['if-none-match']);
      const isFirst = conditions.length <= 2;
      answer(isFirst ? issuer.document() : '', isFirst ? 200 : 304, { etag: 'W/"a"' })(request, response);
    };
    for (const seconds of [0, 10, 10, 10]) {
      pass(seconds);
      expect(await verdictOf(verifier, token)).toBe('good');
    }
    // The first was the answer to another question than the others.
    expect(conditions).toEqual([undefined, undefined, 'W/"a"', 'W/"a"']);
    pass(41);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
    // What has expired has to come anew: nothing is named that could be left as it is.
    expect(conditions.at(-1)).toBeUndefined();
  });

  it('a clock that is set back does not extend a copy', async () => {
    const verifier = listening();
    const token = longLived();
    expect(await verdictOf(verifier, token)).toBe('good');
    down();
    setBack = 3_600_000;
    pass(61);
    // The token is from the future now; one that is not tells what became of the feed.
    expect(await verdictOf(verifier, token)).toBe('not_yet_valid, login');
    expect(await verdictOf(verifier, issuer.token())).toBe('RevocationsUnavailable');
  });

  it('an entry is removed when its tokens have expired, tolerance included', async () => {
    const verifier = listening(true, { clockToleranceSeconds: 60 });
    const sid = uuidv7();
    const token = issuer.token({ sid, exp: now() + 100 });
    const entries = [{ sid, exp: now() + 160 }];
    issuer.feed = (request, response) =>
      answer(issuer.document(request.url === FEED ? { entries } : {}))(request, response);
    for (const seconds of [0, 50, 50, 50]) {
      pass(seconds);
      expect(await verdictOf(verifier, token)).toBe('revoked, login');
    }
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('expired, refresh');
    expect(await verdictOf(verifier, issuer.token({ sid }))).toBe('good');
  });

  it('entries beyond the limit become one cut-off, which a refresh passes', async () => {
    const verifier = listening(true, { fetch: patient });
    const exp = now() + 600;
    const batch = () => Array.from({ length: 50_000 }, () => ({ sid: uuidv7(), exp }));
    const token = longLived();
    issuer.feed = (request, response) => answer(issuer.document({ entries: batch() }))(request, response);
    for (let step = 0; step < 4; step += 1) {
      expect(await explained(verifier, token)).toBe('good');
      pass(11);
    }
    expect(await verdictOf(verifier, token)).toBe('revoked, refresh');
    pass(2);
    expect(await verdictOf(verifier, issuer.token())).toBe('good');
  });

  it('polls in the background before a copy expires, and counts the time in caches', async () => {
    const verifier = listening();
    const token = longLived();
    await verifier.verify(token);
    pass(8);
    const serve = issuer.feed;
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    issuer.feed = (request, response) => void held.then(() => serve(request, response));
    // The answer to the poll is held back until the verdict is there.
    expect(await verdictOf(verifier, token)).toBe('good');
    release();
    const pollsSoFar = async () => {
      await verifier.verify(token);
      return polls();
    };
    expect(await until((count) => count === 2, pollsSoFar)).toBe(2);
    issuer.feed = (request, response) =>
      answer(issuer.document(), 200, { 'cache-control': 'max-age=10', age: '8' })(request, response);
    pass(10);
    expect(await until((count) => count === 3, pollsSoFar)).toBe(3);
    pass(1.5);
    expect(await until((count) => count === 4, pollsSoFar)).toBe(4);
  });

  it('never accepts an answer to another cursor', async () => {
    const errors: Error[] = [];
    const verifier = listening(true, { onError: (error) => errors.push(error) });
    const token = longLived();
    expect(await verdictOf(verifier, token)).toBe('good');
    issuer.feed = (request, response) =>
      answer(issuer.document({ since: 'c2', cursor: 'c2' }))(request, response);
    for (let step = 0; step < 5; step += 1) {
      pass(10);
      await verdictOf(verifier, token);
    }
    expect(new Set(errors.map(({ message }) => message))).toEqual(
      new Set(['the copy of the revocation feed answers another cursor than the requested one']),
    );
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('RevocationsUnavailable');
  });

  it('accepts newer entries for its cursor, and all entries for any', async () => {
    const verifier = listening();
    const exp = now() + 7200;
    const [one, other] = [
      { sid: uuidv7(), exp },
      { sid: uuidv7(), exp },
    ];
    const [first, second] = [issuer.token({ sid: one.sid, exp }), issuer.token({ sid: other.sid, exp })];
    expect(await verdictOf(verifier, first)).toBe('good');
    issuer.feed = (request, response) =>
      answer(issuer.document({ since: 'c1', cursor: 'c2', entries: [one] }))(request, response);
    pass(10);
    expect(await verdictOf(verifier, first)).toBe('revoked, login');
    expect(await verdictOf(verifier, second)).toBe('good');
    issuer.feed = (request, response) =>
      answer(issuer.document({ cursor: 'c3', entries: [other] }))(request, response);
    pass(10);
    expect(await verdictOf(verifier, second)).toBe('revoked, login');
    expect(await verdictOf(verifier, first)).toBe('revoked, login');
    issuer.feed = (request, response) => answer(issuer.document({ since: 'c3' }))(request, response);
    pass(10);
    expect(await verdictOf(verifier, longLived())).toBe('good');
    const asked = issuer.asked.filter((url) => url.startsWith(FEED));
    expect(asked).toEqual([FEED, `${FEED}?cursor=c1`, `${FEED}?cursor=c2`, `${FEED}?cursor=c3`]);
  });

  it('drops a cursor that is no longer understood', async () => {
    const verifier = listening();
    const token = longLived();
    issuer.feed = (request, response) =>
      request.url === FEED
        ? answer(issuer.document())(request, response)
        : answer('', 400)(request, response);
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(11);
    expect(await verdictOf(verifier, token)).toBe('good');
    pass(2);
    expect(await verdictOf(verifier, token)).toBe('good');
    expect(issuer.asked.filter((url) => url.startsWith(FEED))).toEqual([FEED, `${FEED}?cursor=c1`, FEED]);
  });

  it('reads the key set again while the feed lists a revoked key', async () => {
    const verifier = listening();
    const other = newKey('ES256');
    issuer.keys = keySet([publicJwk(issuer.key), publicJwk(other)]);
    const token = issuer.token({}, other);
    expect(await verdictOf(verifier, token)).toBe('good');
    issuer.keys = keySet([publicJwk(issuer.key)]);
    issuer.feed = (request, response) =>
      answer(issuer.document({ entries: [{ keys: true, exp: now() + 600 }] }))(request, response);
    pass(10);
    expect(await verdictOf(verifier, issuer.token())).toBe('good');
    expect(await verdictOf(verifier, token)).toBe('unknown_key, refresh');
  });

  it('drops a revoked key even during an older read of the key set', async () => {
    const verifier = listening();
    const revoked = newKey('ES256');
    const before = keySet([publicJwk(issuer.key), publicJwk(revoked)], { 'cache-control': 'max-age=60' });
    const token = issuer.token({}, revoked);
    issuer.keys = before;
    expect(await verdictOf(verifier, token)).toBe('good');
    const { promise: held, resolve: release } = Promise.withResolvers<void>();
    const readings = () => issuer.asked.length - polls();
    issuer.keys = (request, response) => {
      issuer.keys = keySet([publicJwk(issuer.key)]);
      void held.then(() => before(request, response));
    };
    issuer.feed = (request, response) => {
      answer(issuer.document({ entries: [{ keys: true, exp: now() + 600 }] }))(request, response);
      // What the older reading says is there when the feed was heard.
      setTimeout(release, 200);
    };
    pass(50);
    await verdictOf(verifier, issuer.token());
    expect(readings()).toBe(3);
    expect(await verdictOf(verifier, token)).toBe('unknown_key, refresh');
  });
});
