import { describe, expect, it } from '@jest/globals';
import type { AccessTokenClaims } from '../../src/verify/access-token.gate.js';
import { RevocationList } from '../../src/verify/revocation-list.js';

const claims = (changes: Partial<AccessTokenClaims> = {}) =>
  ({ sid: 's1', sub: 'u1', iat: 1_000, ...changes }) as AccessTokenClaims;

describe('a list of revocations', () => {
  it('refuses tokens of an ended session, whatever their age', () => {
    const list = new RevocationList();
    list.take([{ sid: 's1', exp: 2_000 }], 1_000);
    expect(list.judge(claims({ iat: 1_999 }))).toBe('login');
    expect(list.judge(claims({ sid: 's2' }))).toBeNull();
  });

  it.each([
    ['of a session', { sid: 's1', before: 1_001, exp: 2_000 }],
    ['of a user', { sub: 'u1', before: 1_001, exp: 2_000 }],
    ['of all users', { before: 1_001, exp: 2_000 }],
  ])('refuses tokens %s from before a time, until a refresh', (_whose, entry) => {
    const list = new RevocationList();
    list.take([entry], 1_000);
    expect(list.judge(claims({ iat: 1_000 }))).toBe('refresh');
    expect(list.judge(claims({ iat: 1_001 }))).toBeNull();
  });

  it('keeps the latest time of two entries, in any order', () => {
    const list = new RevocationList();
    list.take([{ sub: 'u1', before: 1_500, exp: 2_000 }], 1_000);
    list.take([{ sub: 'u1', before: 1_200, exp: 2_100 }], 1_100);
    expect(list.judge(claims({ iat: 1_499 }))).toBe('refresh');
  });

  it('forgets an entry after its expiry, and not before', () => {
    const list = new RevocationList();
    list.take([{ sid: 's1', exp: 2_000 }], 1_000);
    list.forget(2_000);
    expect(list.judge(claims())).toBe('login');
    list.forget(2_001);
    expect(list.judge(claims())).toBeNull();
  });
});
