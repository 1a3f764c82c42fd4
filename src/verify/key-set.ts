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

/** The most, in milliseconds, that a key set is used without being read again, whatever its `max-age` says. */
const MAX_AGE = 600_000;
/** The least: an issuer that rotates in a test says less. */
const MIN_AGE = 1_000;
/** Milliseconds between two readings that tokens with unknown key ids can cause. */
const COOL_DOWN = 5_000;
/** A key set of ours has some hundred bytes a key. */
const MAX_BYTES = 1024 * 1024;
const MAX_KEYS = 1_000;
/** Members of private and symmetric keys (RFC 7518 §6): a set that has one is a leak, and not to be trusted. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'];

/**
 * The public keys of the issuer (RFC 7517). jose chooses and imports them, and reads the set again for a key id that
 * it does not know; how long a set may be used, and which set may be used at all, is decided here.
 */
export class KeySet {
  private readonly remote: RemoteJWKSet;
  private readonly renewal: Renewal;
  private algorithmOf: ReadonlyMap<string, SignatureAlgorithm> = new Map();
  private life = MAX_AGE;

  constructor({ uri, fetch, algorithms, report }: KeySetOptions) {
    const source = new Source(fetch, MAX_BYTES);
    this.remote = createRemoteJWKSet(new URL(uri), {
      cacheMaxAge: Infinity,
      cooldownDuration: COOL_DOWN,
      timeoutDuration: TIMEOUT,
      [customFetch]: async (url, { signal }) => {
        // Asked when keys may have changed: a copy that a cache kept would not do.
        const headers = { accept: 'application/jwk-set+json, application/json', 'cache-control': 'no-cache' };
        const keys = await source.read(url, headers, (download) => this.take(download, algorithms), signal);
        return new Response(JSON.stringify({ keys }));
      },
    });
    this.renewal = new Renewal(async () => {
      // One for an unknown key id may be under way, which a reload would join: it may be from before what is asked now.
      if (this.remote.reloading) await this.remote.reload().catch(() => undefined);
      await this.remote.reload();
      return this.life;
    }, report);
  }

  /**
   * The key that a token names, for the one algorithm that it serves; else what is wrong.
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
      return await this.remote({ alg: algorithm, kid });
    } catch (error) {
      if (error instanceof errors.JWKSNoMatchingKey) return 'unknown_key';
      throw new KeysUnavailable(error);
    }
  }

  /**
   * Reads the set again, whatever its age, in a reading that begins from now on.
   *
   * @throws KeysUnavailable
   */
  async reload(): Promise<void> {
    await this.renewal.renewAfresh().catch((error: unknown) => {
      throw new KeysUnavailable(error);
    });
  }

  private take({ text, headers }: Download, algorithms: readonly SignatureAlgorithm[]): UsableKey[] {
    const keys = usableKeys(text, algorithms);
    this.algorithmOf = new Map(keys.map(({ kid, alg }) => [kid, alg]));
    this.life = Math.min(MAX_AGE, Math.max(MIN_AGE, freshFor(headers, MAX_AGE)));
    return keys;
  }
}

interface UsableKey {
  readonly kid: string;
  readonly alg: SignatureAlgorithm;
}

/**
 * The keys of a set that may verify tokens. Others are passed over, as RFC 7517 §5 asks.
 *
 * @throws on a set that is malformed, names two keys alike, or shows what must never be shown.
 */
function usableKeys(text: string, algorithms: readonly SignatureAlgorithm[]): UsableKey[] {
  const { keys } = JSON.parse(text) as { keys?: unknown };
  if (!Array.isArray(keys) || keys.length > MAX_KEYS || !keys.every(isObject))
    throw new Error('the key set is malformed');
  if (keys.some((key) => PRIVATE_MEMBERS.some((member) => member in key)))
    throw new Error('the key set shows a private or symmetric key');
  const kids = keys.map(({ kid }) => kid).filter((kid) => kid !== undefined);
  if (new Set(kids).size !== kids.length) throw new Error('the key set has a key id twice');
  return keys.filter((key): key is Record<string, unknown> & UsableKey => {
    const { kid, alg, use = 'sig' } = key;
    const isNamed = typeof kid === 'string' && KEY_ID.test(kid);
    return isNamed && use === 'sig' && algorithms.some((allowed) => allowed === alg);
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
