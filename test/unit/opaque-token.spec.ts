import { describe, expect, it } from '@jest/globals';
import {
  createToken,
  encodeToken,
  hashToken,
  hasTokenPrefix,
  isToken,
} from '../../src/auth/credentials/opaque-token.js';

const BODY = 'A'.repeat(43);

describe('an opaque token', () => {
  it('is its prefix and 256 random bits in base64url', () => {
    const token = createToken('trf_rt_');
    expect(token).toMatch(/^trf_rt_[A-Za-z0-9_-]{43}$/);
    expect(Buffer.from(token.slice(7), 'base64url')).toHaveLength(32);
    expect(createToken('trf_rt_')).not.toBe(token);
    expect(encodeToken('trf_rt_', Buffer.alloc(32))).toBe(`trf_rt_${BODY}`);
  });

  it('is recognised by its whole text', () => {
    expect(isToken('trf_rt_', `trf_rt_${BODY}`)).toBe(true);
    const others = [
      '',
      'trf_rt_',
      `trf_ss_${BODY}`,
      BODY,
      `trf_rt_${BODY}A`,
      `trf_rt_.${BODY}`,
      `trf_rt_ ${BODY}`,
      `trf_rt_${BODY}\n`,
      `trf_rt_${BODY.slice(1)}`,
      `trf_rt_${BODY.slice(1)}+`,
      `xtrf_rt_${BODY}`,
    ];
    expect(others.filter((text) => isToken('trf_rt_', text))).toEqual([]);
  });

  it('of any kind is recognised by its prefix', () => {
    expect(['trf_rt_', 'trf_cs_x', 'trf_session_'].filter(hasTokenPrefix)).toHaveLength(3);
    expect(
      ['', 'trf_', 'trf_rt', 'trf__x', 'TRF_rt_x', ' trf_rt_x', 'ghp_trf_rt_x'].filter(hasTokenPrefix),
    ).toEqual([]);
  });

  it('is stored as its SHA-256', () => {
    expect(hashToken('abc').toString('hex')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });
});
