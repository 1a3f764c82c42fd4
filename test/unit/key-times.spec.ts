import { describe, expect, it } from '@jest/globals';
import type { AuthConfig } from '../../config/auth.config.js';
import { publicationTime } from '../../config/auth.config.js';
import { lastTokenAfter, leaseTime, refreshCooldown, roundInterval } from '../../src/auth/keys/key-times.js';

const config = (values: Partial<AuthConfig>) =>
  ({ KEY_ROTATION_INTERVAL: 2_592_000, ACCESS_TOKEN_TTL: 600, JWKS_MAX_AGE: 600, ...values }) as AuthConfig;

describe('key times', () => {
  it('have a round each minute, or four rounds an interval if that is shorter', () => {
    expect(roundInterval(config({}))).toBe(60);
    expect(roundInterval(config({ KEY_ROTATION_INTERVAL: 40 }))).toBe(10);
  });

  it('let a lease outlive one failed round', () => {
    expect(leaseTime(config({}))).toBe(130);
    expect(leaseTime(config({ KEY_ROTATION_INTERVAL: 40 }))).toBe(30);
  });

  it('keep a key published until the last token of a lease has expired at a slow clock [J16]', () => {
    expect(lastTokenAfter(config({}))).toBe(130 + 600 + 60);
    expect(lastTokenAfter(config({ ACCESS_TOKEN_TTL: 10 }))).toBe(130 + 10 + 60);
  });

  it('publish a key for longer than any cache holds an older set [J16]', () => {
    expect(publicationTime(600)).toBe(605);
    expect(publicationTime(2)).toBe(4);
  });

  it.each([1, 2, 4, 600])('leave time between reading and publishing for JWKS_MAX_AGE %i', (maxAge) => {
    expect(refreshCooldown(config({ JWKS_MAX_AGE: maxAge }))).toBeLessThan(publicationTime(maxAge) - maxAge);
  });
});
