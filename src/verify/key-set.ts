import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { createRemoteJWKSet, type CryptoKey, customFetch, errors, type RemoteJWKSet } from 'jose';
import { KEY_ID, type SignatureAlgorithm } from './compact-jws.js';
import { type Download, type Fetch, freshFor, Source, TIMEOUT } from './download.js';
import { Renewal } from './renewal.js';
import { KeysUnavailable } from './verify.errors.js';

export interface KeySetOptions {
  readonly uri: string;
  readonly fetch: Fetch;
  readonly algorithms: readonly SignatureAlgorithm[];
  readonly report: (error: unknown) => void;
}

/** The maximum of milliseconds that a key set is used before it is read again, with any `max-age`. */
const MAX_AGE = 600_000;
/** The minimum: an issuer that rotates in a test sends less. */
const MIN_AGE = 1_000;
/** Milliseconds between two reads that tokens with unknown key ids can cause. */
const COOL_DOWN = 5_000;
/** Our key sets have some hundred bytes a key. */
const MAX_BYTES = 1024 * 1024;
const MAX_KEYS = 1_000;
/** Members of private and symmetric keys (RFC 7518 §6): a set with one of them is a leak and not trusted. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/**
 * The public keys of the issuer (RFC 7517). jose selects and imports them, and reads the set again for an unknown key
 * id. The lifetime of a set, and whether it is accepted, is decided here.
 */
export class KeySet {
  private readonly remote: RemoteJWKSet;
  private readonly renewal: Renewal;
  private algorithmOf: ReadonlyMap<string, SignatureAlgorithm> = new Map();
  /** Ids of keys that are too weak, or no keys at all. */
  private unsafe: ReadonlySet<string> = new Set();
  private life = MAX_AGE;

  constructor({ uri, fetch, algorithms, report }: KeySetOptions) {
    const source = new Source(fetch, MAX_BYTES);
    this.remote = createRemoteJWKSet(new URL(uri), {
      cacheMaxAge: Infinity,
      cooldownDuration: COOL_DOWN,
      timeoutDuration: TIMEOUT,
      [customFetch]: async (url, { signal }) => {
        // Requested when keys may have changed: a cached copy is not sufficient.
        const headers = { accept: 'application/jwk-set+json, application/json', 'cache-control': 'no-cache' };
        const keys = await source.read(url, headers, (download) => this.take(download, algorithms), signal);
        return new Response(JSON.stringify({ keys }));
      },
    });
    this.renewal = new Renewal(async () => {
      // A reload joins a read in progress, which may be older than this request: wait for it first.
      if (this.remote.reloading) await this.remote.reload().catch(() => undefined);
      await this.remote.reload();
      return this.life;
    }, report);
  }

  /**
   * The key that a token names, for its one algorithm; else the reason.
   *
   * @throws KeysUnavailable
   */
  async find(
    kid: string,
    algorithm: SignatureAlgorithm,
  ): Promise<CryptoKey | 'unknown_key' | 'wrong_algorithm'> {
    try {
      await this.renewal.keepFresh();
      if ((this.algorithmOf.get(kid) ?? algorithm) !== algorithm) return 'wrong_algorithm';
      // One unsafe key does not spoil the set, but says nothing about the tokens that name it.
      if (this.unsafe.has(kid)) throw new Error(`the key ${kid} of the key set is not secure`);
      return await this.remote({ alg: algorithm, kid });
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'unknown_key';
      throw new KeysUnavailable(error);
    }
  }

  /**
   * Reads the set again in a new read, whatever its age.
   *
   * @throws KeysUnavailable
   */
  async reload(): Promise<void> {
    await this.renewal.renewAfresh().catch((error: unknown) => {
      throw new KeysUnavailable(error);
    });
  }

  private take({ text, headers }: Download, algorithms: readonly SignatureAlgorithm[]): UsableKey[] {
    const usable = usableKeys(text, algorithms);
    this.algorithmOf = new Map(usable.map(({ kid, alg }) => [kid, alg]));
    const keys = usable.filter(isSafe);
    this.unsafe = new Set(usable.filter((key) => !keys.includes(key)).map(({ kid }) => kid));
    this.life = Math.min(MAX_AGE, Math.max(MIN_AGE, freshFor(headers, MAX_AGE)));
    return keys;
  }
}

interface UsableKey {
  readonly kid: string;
  readonly alg: SignatureAlgorithm;
}

/**
 * The keys of a set that can verify tokens. Others are ignored, as RFC 7517 §5 requires.
 *
 * @throws for a set that is malformed, has duplicate key ids, or contains private keys.
 */
function usableKeys(text: string, algorithms: readonly SignatureAlgorithm[]): (JsonWebKey & UsableKey)[] {
  const { keys } = JSON.parse(text) as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length > MAX_KEYS || !keys.every(isObject))
    throw new Error('the key set is malformed');
  if (keys.some((key) => PRIVATE_MEMBERS.some((member) => member in key)))
    throw new Error('the key set contains a private or symmetric key');
  const kids = keys.map(({ kid }) => kid).filter((kid) => kid !== undefined);
  if (new Set(kids).size !== kids.length) throw new Error('the key set has a duplicate key id');
  return keys.filter((key): key is JsonWebKey & UsableKey => {
    const { kid, alg, use = 'sig' } = key;
    const isNamed = typeof kid === 'string' && KEY_ID.test(kid);
    return (
      isNamed && use === 'sig' && algorithms.some((allowed) => allowed === alg && isOfType(key, allowed))
    );
  });
}

/** Whether a key is of the type and curve of its algorithm (RFC 8725 §3.2). */
function isOfType({ kty, crv }: JsonWebKey, algorithm: SignatureAlgorithm): boolean {
  return algorithm === 'ES256' ? kty === 'EC' && crv === 'P-256' : kty === 'RSA';
}

/** RFC 7518 §3.3. */
const RSA_BITS_MIN = 2048;
/** NIST FIPS 186-5 §5.4. With the exponent 1, every signature is its own message. */
const RSA_EXPONENT_MIN = 65_537n;

/** Whether a key can be imported and is strong enough to verify signatures. */
function isSafe(jwk: JsonWebKey): boolean {
  try {
    // The import checks that a point is on its curve.
    const { asymmetricKeyType, asymmetricKeyDetails = {} } = createPublicKey({ key: jwk, format: 'jwk' });
    if (asymmetricKeyType !== 'rsa') return true;
    const { modulusLength = 0, publicExponent = 0n } = asymmetricKeyDetails;
    const isModulusOdd = ((Buffer.from(jwk.n ?? '', 'base64url').at(-1) ?? 0) & 1) === 1;
    const isExponentSafe = publicExponent >= RSA_EXPONENT_MIN && publicExponent % 2n === 1n;
    return modulusLength >= RSA_BITS_MIN && isModulusOdd && isExponentSafe;
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
