import { createSecretKey } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import type { RefusalCode } from '../../src/verify/verify.entry.js';
import {
  decodeToken,
  encode,
  type Members,
  newKey,
  otherSpellings,
  resign,
  signatureBytes,
  signParts,
  type TestKey,
  withSignature,
  withSignatureBytes,
} from './jwt.js';

/** What forgeries are made of: a good ES256 token, the key that signed it, and the text of the key set. */
export interface Material {
  readonly good: string;
  readonly key: TestKey;
  readonly keySet: string;
}

/** Tokens by name, with why each is refused; null for one that is good. */
export type Expectations = Readonly<Record<string, readonly [token: string, code: RefusalCode | null]>>;

/** The order of the group of P-256. */
const N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The same verdict for a token made of each value. */
function each<T>(values: readonly T[], token: (value: T) => string, code: RefusalCode | null): Expectations {
  return Object.fromEntries(
    values.map((value, index) => {
      const text = String(JSON.stringify(value));
      const name = `${index}: ${text.length > 60 ? `${text.slice(0, 30)}…${text.slice(-20)}` : text}`;
      return [name, [token(value), code] as const];
    }),
  );
}

/** Every way that we know of to be a bad access token, and some unusual ways to be a good one. */
export const FORGERIES: Readonly<Record<string, (material: Material) => Expectations>> = {
  'of another algorithm': ({ good, key }) => {
    const none = ['none', 'None', 'nOnE', 'NONE', ''];
    const names = [
      ...none,
      'HS256',
      'ES256 ',
      'es256',
      'ES256K',
      'EdDSA',
      'RS256',
      'PS256',
      'ES384',
      'RS512',
    ];
    const values = [...names, 'constructor', '__proto__', undefined, null, ['ES256'], { alg: 'ES256' }, 256];
    const unsigned = (alg: unknown) =>
      `${encode({ ...decodeToken(good).header, alg })}.${good.split('.')[1]}.`;
    const named = (prefix: string, table: Expectations) =>
      Object.fromEntries(Object.entries(table).map(([name, value]) => [`${prefix} ${name}`, value]));
    return {
      ...named('unsigned', each(values, unsigned, 'malformed')),
      ...named(
        'one byte',
        each(values, (alg) => `${unsigned(alg)}AA`, 'wrong_algorithm'),
      ),
      ...named(
        'signed',
        each(values, (alg) => resign(good, key, { header: { alg } }), 'wrong_algorithm'),
      ),
    };
  },

  'J2, incident 7, 9: an HMAC keyed with some spelling of the public key': ({ good, key, keySet }) => {
    const pem = key.publicKey.export({ format: 'pem', type: 'spki' }) as string;
    const der = key.publicKey.export({ format: 'der', type: 'spki' });
    const spellings: Record<string, string | Buffer> = {
      pem,
      'pem without the last newline': pem.trimEnd(),
      'pem after white space': `\n \t${pem}`,
      der,
      'base64 of der': der.toString('base64'),
      'key set': keySet,
      kid: key.kid,
    };
    return Object.fromEntries(
      Object.entries(spellings).flatMap(([name, secret]) => {
        const forger = { ...key, privateKey: createSecretKey(Buffer.from(secret as string)) };
        return [
          [
            `HS256, ${name}`,
            [resign(good, forger, { header: { alg: 'HS256' } }, 'HS256'), 'wrong_algorithm'],
          ],
          [`HS256 under an ES256 header, ${name}`, [resign(good, forger, {}, 'HS256'), 'bad_signature']],
        ] as const;
      }),
    );
  },

  'a key that the token brings or names itself': ({ good, key }) => {
    const attacker = newKey('ES256');
    const jwk = attacker.publicKey.export({ format: 'jwk' });
    const x5c = [attacker.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')];
    const lures = { jku: 'http://127.0.0.1:1/jwks.json', x5u: 'http://127.0.0.1:1/chain.pem', jwk, x5c };
    const { kid } = key;
    return {
      'foreign key, our kid': [resign(good, attacker, { header: { kid } }), 'bad_signature'],
      'foreign key, its own kid': [resign(good, attacker, { header: { kid: attacker.kid } }), 'unknown_key'],
      'foreign key, no kid': [resign(good, attacker, { header: { kid: undefined } }), 'bad_key_id'],
      'jku, x5u, jwk, x5c, our kid': [resign(good, attacker, { header: { kid, ...lures } }), 'bad_signature'],
      'jku, x5u, jwk, x5c, its kid': [
        resign(good, attacker, { header: { kid: attacker.kid, ...lures } }),
        'unknown_key',
      ],
      'jwk alone': [resign(good, attacker, { header: { kid: undefined, jwk } }), 'bad_key_id'],
      'our key, unknown kid': [resign(good, key, { header: { kid: uuidv7() } }), 'unknown_key'],
      'our key, kid in capitals': [resign(good, key, { header: { kid: kid.toUpperCase() } }), 'unknown_key'],
      'lures in a good token are not looked at': [resign(good, key, { header: lures }), null],
    };
  },

  'a hostile key id': ({ good, key }) => {
    const { kid } = key;
    const hostile = [
      "' or '1'='1",
      `${kid}'; drop table signing_keys; --`,
      '../../../../dev/null',
      'file:///etc/passwd',
      `${kid}\u0000`,
      `${kid} `,
      `${kid}\n`,
      '',
      '__proto__',
      'k'.repeat(129),
      'k'.repeat(4000),
      '\u{1f511}',
      [kid],
      { kid },
      0,
      true,
      null,
    ];
    const unknown = ['constructor', 'toString', 'hasOwnProperty', 'k'.repeat(128), '..'];
    return {
      ...each(hostile, (value) => resign(good, key, { header: { kid: value } }), 'bad_key_id'),
      ...each(unknown, (value) => resign(good, key, { header: { kid: value } }), 'unknown_key'),
      'a megabyte': [resign(good, key, { header: { kid: 'k'.repeat(1_000_000) } }), 'malformed'],
      'behind __proto__': [
        signParts(
          encode(`{"alg":"ES256","typ":"at+jwt","__proto__":{"kid":"${kid}"}}`),
          String(good.split('.')[1]),
          key.privateKey,
          'ES256',
        ),
        'bad_key_id',
      ],
    };
  },

  'a time that is missing, malformed or not now': ({ good, key }) => {
    const now = Math.floor(Date.now() / 1000);
    const withClaims = (claims: Members) => resign(good, key, { claims });
    const malformed = [undefined, null, '', String(now + 600), [now + 600], true, now + 600.5, 1e300];
    const tables = ['exp', 'nbf', 'iat', 'auth_time'].map((name) =>
      Object.entries(each(malformed, (value) => withClaims({ [name]: value }), 'bad_claims')).map(
        ([value, expected]) => [`${name} ${value}`, expected] as const,
      ),
    );
    return {
      ...Object.fromEntries(tables.flat()),
      'exp beyond the tolerance': [withClaims({ exp: now - 6 }), 'expired'],
      'exp within the tolerance': [withClaims({ exp: now - 2 }), null],
      'exp zero': [withClaims({ exp: 0 }), 'expired'],
      'exp negative': [withClaims({ exp: -1 }), 'expired'],
      'nbf beyond the tolerance': [withClaims({ nbf: now + 8 }), 'not_yet_valid'],
      'nbf within the tolerance': [withClaims({ nbf: now + 3 }), null],
      'expired, and forged': [
        resign(good, newKey('ES256'), { header: { kid: key.kid }, claims: { exp: 1 } }),
        'bad_signature',
      ],
    };
  },

  'another iss': ({ good, key }) => {
    const ours = decodeToken(good).claims['iss'] as string;
    const values = [
      undefined,
      null,
      '',
      [ours],
      [ours, 'https://evil.example'],
      { 0: ours },
      `${ours}/`,
      `${ours} `,
      ours.toUpperCase(),
      ours.slice(0, -1),
      `${ours}0`,
      'https://evil.example',
      8000,
      true,
    ];
    return each(values, (iss) => resign(good, key, { claims: { iss } }), 'wrong_issuer');
  },

  'another aud': ({ good, key }) => {
    const ours = decodeToken(good).claims['aud'] as string;
    const other = 'https://other.example';
    const bad = [
      undefined,
      null,
      '',
      [],
      {},
      { aud: ours },
      [[ours]],
      [ours, 7],
      [ours, null],
      other,
      [other],
      `${ours}/`,
      `${ours} ${other}`,
      ours.slice(0, -1),
      ours.toUpperCase(),
      true,
    ];
    return {
      ...each(bad, (aud) => resign(good, key, { claims: { aud } }), 'wrong_audience'),
      ...each([[ours], [other, ours]], (aud) => resign(good, key, { claims: { aud } }), null),
    };
  },

  'another typ': ({ good, key }) => {
    const types = [
      undefined,
      null,
      '',
      'JWT',
      'at',
      'at+jwt ',
      'at+jwt;q=1',
      'at+jwt\n',
      'id+jwt',
      'logout+jwt',
      'revocations+jwt',
      'text/at+jwt',
      'application/application/at+jwt',
      ['at+jwt'],
      1,
    ];
    return {
      ...each(types, (typ) => resign(good, key, { header: { typ } }), 'wrong_type'),
      ...each(['application/at+jwt', 'AT+JWT'], (typ) => resign(good, key, { header: { typ } }), null),
    };
  },

  'claims that are missing or of another kind': ({ good, key }) => {
    const wrong = [undefined, null, '', 7, [], {}];
    const ids = ['x', "' or true --", 'x'.repeat(300), '\u0000'];
    const tables = ['sub', 'sid', 'jti', 'client_id', 'amr'].map((name) => {
      const values = name === 'amr' ? [undefined, null, 7, {}, 'pwd', [1]] : wrong;
      const all = name === 'sub' || name === 'sid' ? [...values, ...ids] : values;
      return Object.entries(
        each(all, (value) => resign(good, key, { claims: { [name]: value } }), 'bad_claims'),
      ).map(([value, expected]) => [`${name} ${value}`, expected] as const);
    });
    return Object.fromEntries(tables.flat());
  },

  'a critical extension': ({ good, key }) => {
    const headers = [
      { crit: ['exp'], exp: 1 },
      { crit: ['nope'] },
      { crit: ['b64'], b64: false },
      { b64: false },
      { b64: true, crit: ['b64'] },
      { crit: [] },
      { crit: null },
      { crit: 'b64' },
      { crit: ['alg'] },
    ];
    return each(headers, (header) => resign(good, key, { header }), 'critical_header');
  },

  'a name that stands twice: the last counts': ({ good, key }) => {
    const { header, claims } = decodeToken(good);
    const rest = `"kid":"${key.kid}","typ":"at+jwt"`;
    const withHeader = (text: string) =>
      signParts(encode(text), String(good.split('.')[1]), key.privateKey, 'ES256');
    const withBody = (text: string) => signParts(encode(header), encode(text), key.privateKey, 'ES256');
    const json = JSON.stringify(claims).slice(0, -1);
    return {
      'alg, good last': [withHeader(`{"alg":"none","alg":"ES256",${rest}}`), null],
      'alg, bad last': [withHeader(`{"alg":"ES256",${rest},"alg":"none"}`), 'wrong_algorithm'],
      'alg escaped, bad last': [withHeader(`{"alg":"ES256",${rest},"\\u0061lg":"none"}`), 'wrong_algorithm'],
      'kid, bad last': [withHeader(`{"alg":"ES256",${rest},"kid":"other"}`), 'unknown_key'],
      'typ, bad last': [withHeader(`{"alg":"ES256",${rest},"typ":"JWT"}`), 'wrong_type'],
      'exp, good last': [withBody(`{"exp":1,${json.slice(1)}}`), null],
      'exp, bad last': [withBody(`${json},"exp":1}`), 'expired'],
      'iss, bad last': [withBody(`${json},"iss":"https://evil.example"}`), 'wrong_issuer'],
    };
  },

  'not the compact form': ({ good }) => {
    const [header = '', claims = '', signature = ''] = good.split('.');
    const flattened = { protected: header, payload: claims, signature };
    const general = { payload: claims, signatures: [{ protected: header, signature }] };
    const jwe = `${encode({ alg: 'dir', enc: 'A256GCM' })}..${signature}.${claims}.${signature}`;
    const forms = [
      '',
      '.',
      '..',
      header,
      `${header}.${claims}`,
      `${header}.${claims}.`,
      `${good}.`,
      `.${good}`,
    ];
    const more = [`${good}.${signature}`, jwe, JSON.stringify(flattened), JSON.stringify(general)];
    const rest = [encode(flattened), `.${claims}.${signature}`, `${header}..${signature}`, `Bearer ${good}`];
    const last = [`${good},${good}`, `"${good}"`, ` ${good}`, `${good}\n`, `${good}%3B`];
    return each([...forms, ...more, ...rest, ...last], (token) => token, 'malformed');
  },

  'padding, or any character that is not of base64url': ({ good }) => {
    const parts = good.split('.');
    const strays = ['=', '==', '+', '/', '.', ' ', '\t', '%', '*', '!', ',', '\u00e9', '\u00a0'];
    const entries = strays.flatMap((stray) =>
      parts.flatMap((part, index) => {
        const middle = Math.floor(part.length / 2);
        const spelled = (text: string) => [parts.with(index, text).join('.'), 'malformed'] as const;
        const name = `${JSON.stringify(stray)} in part ${index}`;
        return [
          [`${name}, at the end`, spelled(`${part}${stray}`)],
          [`${name}, at the start`, spelled(`${stray}${part}`)],
          [`${name}, inside`, spelled(part.slice(0, middle) + stray + part.slice(middle))],
        ] as const;
      }),
    );
    return Object.fromEntries(entries);
  },

  'another spelling of the same bytes': ({ good, key }) => {
    const { header, claims } = decodeToken(good);
    // Padded with a space until the last character carries bits that decoding drops.
    const loose = (members: unknown) =>
      [0, 1]
        .map((spaces) => encode(JSON.stringify(members) + ' '.repeat(spaces)))
        .find((text) => text.length % 4) ?? '';
    const [strictHeader, strictClaims] = [loose(header), loose(claims)];
    const sign = (head: string, body: string) => signParts(head, body, key.privateKey, 'ES256');
    const signed = sign(strictHeader, strictClaims);
    const signature = String(signed.split('.')[2]);
    return {
      'the strict spelling': [signed, null],
      ...each(
        [
          ...otherSpellings(strictHeader).map((text) => sign(text, strictClaims)),
          ...otherSpellings(strictClaims).map((text) => sign(strictHeader, text)),
          ...otherSpellings(signature).map((text) => `${strictHeader}.${strictClaims}.${text}`),
        ],
        (token) => token,
        'malformed',
      ),
    };
  },

  'parts that are not JSON objects in UTF-8': ({ good, key }) => {
    const [header = '', claims = ''] = good.split('.');
    const headerText = Buffer.from(header, 'base64url').toString();
    const texts: Record<string, string | Buffer> = {
      null: 'null',
      'a list': `[${headerText}]`,
      'a string': '"ES256"',
      'a number': '1',
      'no JSON': '{alg:ES256}',
      'half a JSON': '{"alg":"ES256"',
      'two values': `${headerText}{}`,
      'not UTF-8': Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}')]),
      'a byte order mark': `\u{feff}${headerText}`,
      deep: '['.repeat(4000),
    };
    return Object.fromEntries(
      Object.entries(texts).flatMap(([name, text]) => [
        [`header: ${name}`, [signParts(encode(text), claims, key.privateKey, 'ES256'), 'malformed']] as const,
        [`claims: ${name}`, [signParts(header, encode(text), key.privateKey, 'ES256'), 'malformed']] as const,
      ]),
    );
  },

  'psychic signatures, and others at the edges': ({ good, key }) => {
    const numbers: Record<string, bigint> = {
      0: 0n,
      1: 1n,
      'n-1': N - 1n,
      n: N,
      'n+1': N + 1n,
      max: 2n ** 256n - 1n,
    };
    const signature = signatureBytes(good);
    const [r, s] = [signature.subarray(0, 32), signature.subarray(32)].map((half) =>
      BigInt(`0x${half.toString('hex')}`),
    ) as [bigint, bigint];
    const tokens: Record<string, string> = {
      'r and s swapped': withSignature(good, s, r),
      'r plus n on 33 bytes': withSignature(good, r + N, s, 33),
    };
    for (const [name, value] of Object.entries(numbers)) {
      tokens[`good r, s=${name}`] = withSignature(good, r, value);
      tokens[`r=${name}, good s`] = withSignature(good, value, s);
      for (const [other, second] of Object.entries(numbers))
        tokens[`r=${name}, s=${other}`] = withSignature(good, value, second);
    }
    const zero = Buffer.from([0]);
    const flipped = Buffer.from(signature);
    flipped[0] = (flipped[0] ?? 0) ^ 1;
    const bytes: Record<string, Buffer> = {
      'one byte': zero,
      'without its last byte': signature.subarray(0, 63),
      'without its first byte': signature.subarray(1),
      'r alone': signature.subarray(0, 32),
      'a zero behind': Buffer.concat([signature, zero]),
      'a zero before each half': Buffer.concat([
        zero,
        signature.subarray(0, 32),
        zero,
        signature.subarray(32),
      ]),
      twice: Buffer.concat([signature, signature]),
      'of 4096 bytes': Buffer.alloc(4096, 7),
      'in DER': derOf(signature),
      'a bit flipped': flipped,
      'of another token': signatureBytes(resign(good, key, { claims: { jti: uuidv7() } })),
    };
    for (const [name, value] of Object.entries(bytes)) tokens[name] = withSignatureBytes(good, value);
    const [header, claims, own] = good.split('.');
    const { header: members, claims: said } = decodeToken(good);
    tokens['changed header'] = `${encode({ ...members, extra: 1 })}.${claims}.${own}`;
    tokens['changed claims'] = `${header}.${encode({ ...said, amr: ['pwd', 'otp'] })}.${own}`;
    return Object.fromEntries(
      Object.entries(tokens).map(([name, token]) => [name, [token, 'bad_signature'] as const]),
    );
  },
};

function derOf(signature: Buffer): Buffer {
  const integer = (bytes: Buffer) => {
    const body = (bytes[0] ?? 0) > 127 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
    return Buffer.concat([Buffer.from([2, body.length]), body]);
  };
  const sequence = Buffer.concat([integer(signature.subarray(0, 32)), integer(signature.subarray(32))]);
  return Buffer.concat([Buffer.from([0x30, sequence.length]), sequence]);
}
