import { describe, expect, it } from '@jest/globals';
import { Cookies } from '../../src/platform/http/cookies.js';

const plain = new Cookies('http://localhost:8000');
const secure = new Cookies('https://auth.example.com');

describe('cookies', () => {
  it('are read in either spelling [S10]', () => {
    expect(plain.read('a=1; session=x', 'session')).toEqual(['x']);
    expect(secure.read('session=x', 'session')).toEqual(['x']);
    expect(secure.read('__Host-session=x', 'session')).toEqual(['x']);
  });

  it('of the current spelling hide those of the other one', () => {
    expect(secure.read('session=planted; __Host-session=x', 'session')).toEqual(['x']);
    expect(secure.read('session=planted; __Host-refresh_token=x', 'session')).toEqual([]);
  });

  it('with several values are all returned, up to four, without duplicates [pain 15]', () => {
    expect(plain.read('session=a; session=b; session=a', 'session')).toEqual(['a', 'b']);
    const many = Array.from({ length: 9 }, (_, index) => `session=${index}`).join('; ');
    expect(plain.read(many, 'session')).toEqual(['0', '1', '2', '3']);
  });

  it('are separated by spaces and tabs only: other bytes are part of the name [S10, H5]', () => {
    expect(secure.read('a=1;\t __Host-session=x', 'session')).toEqual(['x']);
    const others = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).filter(
      (byte) => !' \t;'.includes(byte),
    );
    for (const byte of others) {
      for (const header of [`${byte}__Host-session=planted`, `a=1; ${byte}__Host-session=planted`])
        expect(secure.read(header, 'session')).toEqual([]);
      expect(secure.read(`${byte}__Host-session=planted; __Host-session=x`, 'session')).toEqual(['x']);
    }
  });

  it('with a longer name are no match', () => {
    expect(plain.read('my_session=x; session2=y', 'session')).toEqual([]);
    expect(plain.read(undefined, 'session')).toEqual([]);
  });

  it('are set HttpOnly, Lax, host-only, and Secure behind https [S10]', () => {
    expect(secure.set('session', 'x', 60.2)).toBe(
      '__Host-session=x; Max-Age=61; Path=/; HttpOnly; Secure; SameSite=Lax',
    );
    expect(plain.set('session', 'x', -1)).toBe('session=x; Max-Age=0; Path=/; HttpOnly; SameSite=Lax');
  });

  it('of another prefix belong to another instance: they are not read and not cleared', () => {
    const staging = new Cookies('https://auth.example.com', 'staging-');
    expect(staging.set('session', 'x', 60)).toMatch(/^__Host-staging-session=x; /);
    expect(staging.read('__Host-session=a; session=b; __Host-staging-session=c', 'session')).toEqual(['c']);
    expect(staging.read('__Host-session=a; session=b; staging-session=c', 'session')).toEqual(['c']);
    expect(secure.read('__Host-staging-session=c; staging-session=c', 'session')).toEqual([]);
    const names = staging.clearAll(undefined).map((line) => line.split('=')[0]);
    expect(names.toSorted()).toEqual(
      ['session', 'access_token', 'refresh_token']
        .flatMap((name) => [`__Host-staging-${name}`, `staging-${name}`])
        .toSorted(),
    );
  });

  it('are all cleared, those that the client sent last [S12]', () => {
    for (const [cookies, sent] of [
      [plain, 'session'],
      [plain, 'refresh_token'],
      [secure, '__Host-access_token'],
    ] as const) {
      const names = cookies.clearAll(`a=1;\t${sent}=x`).map((line) => line.split('=')[0]);
      expect(names.at(-1)).toBe(sent);
      expect(new Set(names).size).toBe(6);
    }
  });

  it('are cleared in both spellings [S12]', () => {
    expect(secure.clear('session').map((cookie) => cookie.split('=')[0])).toEqual([
      '__Host-session',
      'session',
    ]);
  });
});
