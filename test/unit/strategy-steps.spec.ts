import { describe, expect, it } from '@jest/globals';
import { fits, stepsBeside, textOf, walk } from '../../src/cluster/strategy-steps.js';

const value = (text: string) => text.split(',');
const texts = (values: readonly (readonly string[])[]) => values.map(textOf);

describe('steps of AUTH_STRATEGY', () => {
  it.each([
    ['session', 'session,jwt', true],
    ['session,jwt', 'jwt,session', true],
    ['jwt,session', 'jwt', true],
    ['session', 'jwt,session', false],
    ['session,jwt', 'jwt', false],
    ['session', 'jwt', false],
  ])('from %s to %s: compatible is %s, in both directions [pain 13]', (one, other, expected) => {
    expect(fits(value(one), value(other))).toBe(expected);
    expect(fits(value(other), value(one))).toBe(expected);
  });

  it('lists the values that are compatible with every running node', () => {
    const kinds = ['session', 'jwt'];
    expect(texts(stepsBeside([['session']], kinds))).toEqual(['session', 'session,jwt']);
    expect(texts(stepsBeside([['session'], ['session', 'jwt']], kinds))).toEqual(['session', 'session,jwt']);
    expect(texts(stepsBeside([['session', 'jwt']], kinds))).toEqual([
      'session',
      'session,jwt',
      'jwt,session',
    ]);
    expect(stepsBeside([['session'], ['jwt']], kinds)).toEqual([]);
  });

  it('finds the shortest path, for any number of kinds', () => {
    expect(texts(walk(['session'], ['jwt']))).toEqual(['session', 'session,jwt', 'jwt,session', 'jwt']);
    expect(texts(walk(['jwt'], ['jwt']))).toEqual(['jwt']);
    const path = walk(['a'], ['b', 'c']);
    expect(path[0]).toEqual(['a']);
    expect(path.at(-1)).toEqual(['b', 'c']);
    for (const [index, step] of path.slice(1).entries()) expect(fits(path[index] ?? [], step)).toBe(true);
  });
});
