import { describe, expect, it } from '@jest/globals';
import { completeFirebaseHash, readFirebaseKey } from '../../src/users/import/firebase-key.js';
import type { PasswordHash } from '../../src/users/passwords/formats/hash-format.js';
import { isAffordable, readPasswordHash } from '../../src/users/passwords/formats/password-hash.js';
import { FOREIGN_HASHES, FOREIGN_PASSWORD } from '../support/foreign-hashes.js';

function hashOf(text: string): PasswordHash {
  const reading = readPasswordHash(text);
  if (typeof reading === 'string') throw new Error(`${text} is ${reading}`);
  return reading;
}

const base64 = (length: number) => Buffer.alloc(length, 7).toString('base64').replace(/=+$/, '');

/** Whether SQL's `like` finds a text; only `%` and the escapes of our patterns occur. */
function isLike(text: string, pattern: string): boolean {
  const source = pattern.replaceAll(/\\(.)|(%)|([^\\%])/gs, (_all, escaped, any, plain) =>
    any ? '.*' : `\\u{${(escaped ?? plain).codePointAt(0).toString(16)}}`,
  );
  return new RegExp(`^${source}$`, 'su').test(text);
}

describe.each(FOREIGN_HASHES)('$format, by $by', ({ format, hash, password = FOREIGN_PASSWORD }) => {
  it('is read, and matches its password alone', async () => {
    const read = hashOf(hash);
    expect(read.format).toBe(format);
    expect(await read.matches(password)).toBe(true);
    expect(await read.matches(`${password} `)).toBe(false);
    expect(await read.matches('')).toBe(false);
  });

  it('has a sample of the same form and cost, without its salt and digest', () => {
    const { sample, work, memory, pattern } = hashOf(hash);
    const { matches: _matches, ...facts } = hashOf(sample);
    expect(facts).toEqual({ format, algorithm: hashOf(hash).algorithm, work, memory, pattern, sample });
    const digest = hash.slice(-16);
    expect(sample).not.toContain(digest);
  });

  it('is found by its pattern, as its sample is, and no hash of another algorithm is', () => {
    const { pattern, sample, algorithm } = hashOf(hash);
    expect([hash, sample].map((text) => isLike(text, pattern))).toEqual([true, true]);
    const found = FOREIGN_HASHES.filter((other) => isLike(other.hash, pattern));
    expect(new Set(found.map((other) => hashOf(other.hash).algorithm))).toEqual(new Set([algorithm]));
  });
});

describe('a text', () => {
  it.each([
    'x',
    '$1$salt$digest',
    'pbkdf2:sha256:600000$salt$digest',
    '$pbkdf2-md5$1000$c2FsdHNhbHQ$AAAA',
    `$scrypt$ln=10,r=8,p=1$${base64(16)}$${base64(1024)}`,
  ])('of an unknown form is reported: %s', (text) => {
    expect(readPasswordHash(text)).toBe('other');
  });

  it.each([
    ['no iterations', `$pbkdf2-sha256$0$${base64(16)}$${base64(32)}`],
    ['too many iterations', `pbkdf2_sha256$100000001$saltsaltsalt$${base64(32)}`],
    ['a leading zero', `pbkdf2_sha256$01000$saltsaltsalt$${base64(32)}`],
    ['a length that is not the digest’s', `$pbkdf2-sha256$i=1000,l=31$${base64(16)}$${base64(32)}`],
    ['an N that is no number', `scrypt$x1024$saltsalt$8$1$${base64(32)}`],
    ['an N that is no power of two', `scrypt$1023$saltsaltsalt$8$1$${base64(32)}`],
    ['an N that r does not allow', `$scrypt$ln=16,r=1,p=1$${base64(16)}$${base64(32)}`],
    ['an r beyond the bound', `$scrypt$ln=10,r=65,p=1$${base64(16)}$${base64(32)}`],
    ['a p beyond the bound', `$scrypt$ln=10,r=8,p=65$${base64(16)}$${base64(32)}`],
    ['a salt of three bytes', `$scrypt$ln=10,r=8,p=1$${base64(3)}$${base64(32)}`],
    ['a salt of 129 bytes', `$scrypt$ln=10,r=8,p=1$${base64(129)}$${base64(32)}`],
    ['a digest of 15 bytes', `$scrypt$ln=10,r=8,p=1$${base64(16)}$${base64(15)}`],
    ['a digest of 129 bytes', `$scrypt$ln=10,r=8,p=1$${base64(16)}$${base64(129)}`],
    ['base64 with bits beyond its end', `$scrypt$ln=10,r=8,p=1$${base64(16)}$${'A'.repeat(21)}B`],
    ['more parts', `$scrypt$ln=10,r=8,p=1$${base64(16)}$${base64(32)}$`],
    [
      'a signer key of another length',
      `firebase-scrypt$ln=14,r=8$Bw$${base64(32)}$${base64(8)}$${base64(64)}`,
    ],
  ])('with %s is damaged', (_what, text) => {
    expect(readPasswordHash(text)).toBe('damaged');
  });

  it.each([
    [
      'salts of 4 to 128 bytes',
      [4, 128].map((size) => `$scrypt$ln=10,r=8,p=1$${base64(size)}$${base64(32)}`),
    ],
    ['digests of 16 to 128', [16, 128].map((size) => `$scrypt$ln=10,r=8,p=1$${base64(16)}$${base64(size)}`)],
    ['p of two digits', [`scrypt$1024$saltsalt$8$10$${base64(32)}`]],
    ['the largest N for r = 1', [`$scrypt$ln=15,r=1,p=1$${base64(16)}$${base64(32)}`]],
  ])('with %s is a hash', (_what, texts) => {
    for (const text of texts) expect(readPasswordHash(text)).toMatchObject({ algorithm: 'scrypt' });
  });
});

describe('the cost of a hash', () => {
  const scrypt = (ln: number, r: number, p: number) =>
    hashOf(`$scrypt$ln=${ln},r=${r},p=${p}$${base64(16)}$${base64(32)}`);
  const pbkdf2 = (digest: string, iterations: number, bytes: number) =>
    hashOf(`$pbkdf2-${digest}$i=${iterations}$${base64(16)}$${base64(bytes)}`);

  it('is N·r·p and 128·N·r bytes for scrypt, and iterations times blocks for PBKDF2', () => {
    expect(scrypt(10, 8, 3)).toMatchObject({ work: 24_576, memory: 1_048_576 });
    expect(pbkdf2('sha256', 1000, 32)).toMatchObject({ work: 1000, memory: 0 });
    expect(pbkdf2('sha256', 1000, 33)).toMatchObject({ work: 2000 });
    expect(pbkdf2('sha512', 1000, 64)).toMatchObject({ work: 1000 });
  });

  const own = { work: 40_000, memory: 20_000 * 1024 };
  it.each<[string, PasswordHash, PasswordHash]>([
    ['scrypt', scrypt(18, 8, 1), scrypt(18, 8, 2)],
    ['scrypt by memory', scrypt(18, 8, 1), scrypt(19, 8, 1)],
    ['pbkdf2-sha1', pbkdf2('sha1', 3_000_000, 20), pbkdf2('sha1', 3_000_001, 20)],
    ['pbkdf2-sha256', pbkdf2('sha256', 2_000_000, 32), pbkdf2('sha256', 2_000_001, 32)],
    ['pbkdf2-sha512', pbkdf2('sha512', 1_000_000, 64), pbkdf2('sha512', 1_000_001, 64)],
  ])('is bounded for %s', (_what, cheap, dear) => {
    expect([cheap, dear].map((hash) => isAffordable(hash, own))).toEqual([true, false]);
  });

  const argon2 = (work: number, memory: number) => ({ algorithm: 'argon2', work, memory }) as PasswordHash;
  it('may always be that of the configuration, for argon2', () => {
    const [work, memory] = [2_000_000, 512 * 1024 * 1024];
    const configured = { work, memory };
    expect(isAffordable(argon2(work, memory), configured)).toBe(true);
    expect(isAffordable(argon2(work + 1, memory), configured)).toBe(false);
    expect(isAffordable(argon2(work, memory + 1), configured)).toBe(false);
    expect(isAffordable({ ...argon2(work, memory), algorithm: 'scrypt' }, configured)).toBe(false);
    expect(isAffordable(argon2(1_048_576, 256 * 1024 * 1024), own)).toBe(true);
    expect(isAffordable(argon2(1_048_577, 256 * 1024 * 1024), own)).toBe(false);
    expect(isAffordable(argon2(1_048_576, 256 * 1024 * 1024 + 1), own)).toBe(false);
  });
});

describe('the hash parameters of a Firebase project', () => {
  const signer = Buffer.alloc(64, 9).toString('base64');
  const shown = (changes: Record<string, string> = {}) =>
    Object.entries({
      base64_signer_key: signer,
      base64_salt_separator: 'Bw==',
      rounds: '8',
      mem_cost: '14',
      ...changes,
    })
      .map(([name, value]) => `  ${name}: ${value},`)
      .join('\n');

  it('are read as its console shows them, and from JSON', () => {
    const key = { signerKey: signer, saltSeparator: 'Bw==', rounds: 8, memCost: 14 };
    expect(readFirebaseKey(`hash_config {\n  algorithm: SCRYPT,\n${shown()}\n}`)).toEqual(key);
    const json = { base64_signer_key: signer, base64_salt_separator: 'Bw==', rounds: 8, mem_cost: 14 };
    expect(readFirebaseKey(JSON.stringify(json))).toEqual(key);
  });

  it.each([
    ['no signer key', shown({ base64_signer_key: '' })],
    ['a short signer key', shown({ base64_signer_key: 'AAAA' })],
    ['no rounds', shown({ rounds: '' })],
    ['rounds that are no number', shown({ rounds: 'eight' })],
    ['a memory cost beyond the bound', shown({ mem_cost: '25' })],
  ])('with %s are refused', (_what, text) => {
    expect(readFirebaseKey(text)).toBeNull();
  });

  it('complete a short hash, in either alphabet of base64, and nothing else', () => {
    const key = { signerKey: 'a-_b', saltSeparator: 'Bw==', rounds: 8, memCost: 14 };
    expect(completeFirebaseHash('firebase-scrypt$c-_d$e+/f==', key)).toBe(
      'firebase-scrypt$ln=14,r=8$Bw$a+/b$c+/d$e+/f',
    );
    for (const text of [
      'xfirebase-scrypt$AAAA$AAAA',
      'firebase-scrypt$AAAA$AAAA$',
      'firebase-scrypt$AAAA',
      'x',
    ])
      expect(completeFirebaseHash(text, key)).toBeNull();
  });
});
