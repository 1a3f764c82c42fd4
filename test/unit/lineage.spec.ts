import { createHash } from 'node:crypto';
import { describe, expect, it } from '@jest/globals';
import {
  decideLineage,
  followLineage,
  type LineageLink,
} from '../../src/auth/strategies/jwt/lineage-decision.js';

const hash = (token: string) => createHash('sha256').update(token).digest();
const link = (parent: string, child: string, isHead = false): LineageLink => ({
  token_hash: hash(child),
  parent_hash: hash(parent),
  attempt: 0,
  is_head: isHead,
});
/** Successors of `a` are `aa`, `aaa`, …: derived from the predecessor alone. */
const rederive = (token: string, _attempt: number, expected: Buffer) => {
  const successor = `${token}a`;
  expect(hash(successor)).toEqual(expected);
  return successor;
};

describe('a presented refresh token', () => {
  it.each([
    ['rotates as the head', [false, false, false], 'rotate'],
    ['repeats within the grace period', [true, false, true], 'repeat'],
    ['may replace a lost head after the grace period', [true, false, false], 'replace_lost_head'],
    ['is reuse once superseded', [false, true, false], 'superseded'],
    ['is reuse once superseded, also within the grace period', [true, true, true], 'superseded'],
  ] as const)('%s [F1, F2, F4]', (_what, [isRedeemed, isSuperseded, isInGrace], decision) => {
    expect(
      decideLineage({ is_redeemed: isRedeemed, is_superseded: isSuperseded, is_in_grace: isInGrace }),
    ).toBe(decision);
  });
});

describe('a lineage', () => {
  it('leads from an ancestor over any number of links to the head', () => {
    const links = [link('aa', 'aaa'), link('a', 'aa'), link('aaa', 'aaaa', true)];
    expect(followLineage('a', links, rederive)).toBe('aaaa');
    expect(followLineage('aaa', links, rederive)).toBe('aaaa');
  });

  it('without a head ends in null', () => {
    expect(followLineage('a', [link('a', 'aa')], rederive)).toBeNull();
    expect(followLineage('a', [], rederive)).toBeNull();
  });

  it('of another ancestor is not followed', () => {
    expect(followLineage('b', [link('a', 'aa', true)], rederive)).toBeNull();
  });
});
