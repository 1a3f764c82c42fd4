import type { AccessTokenRules } from './access-token.gate.js';
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from './compact-jws.js';
import type { Fetch } from './download.js';

export interface RevocationOptions {
  /** The URL of the feed; by default `/.well-known/revocations` of the issuer. */
  readonly uri?: string;
  /** Seconds without an answer after which the feed is stale; never longer than its own signed `exp` allows. */
  readonly maxStaleSeconds?: number;
  /** What to do with a stale feed: refuse with 503 (the default), or accept tokens that are not known to be revoked. */
  readonly onUnavailable?: 'refuse' | 'accept';
}

export interface VerifierOptions {
  /** The `PUBLIC_URL` of the issuing service, exactly as in `iss`: no slash at the end. */
  readonly issuer: string;
  /** Its `AUTH_AUDIENCE`: the intended recipient of the tokens. */
  readonly audience: string;
  /** The accepted signing algorithms; by default ES256, PS256 and RS256, one for each key. */
  readonly algorithms?: readonly SignatureAlgorithm[];
  /** The URL of the keys; by default `/.well-known/jwks.json` of the issuer. Plain HTTP only in a trusted network. */
  readonly jwksUri?: string;
  /** Seconds that this machine's clock may differ from the issuer's: 0 to 60, 5 by default. */
  readonly clockToleranceSeconds?: number;
  /** Whether revoked tokens are refused before they expire. Off by default: then a sign-out takes effect at `exp`. */
  readonly revocations?: boolean | RevocationOptions;
  /** Replaces the global `fetch`: for a proxy, a certificate, a test. */
  readonly fetch?: Fetch;
  /** Called when keys or revocations cannot be read, even if no verdict has changed yet. */
  readonly onError?: (error: Error) => void;
}

/** The options with all defaults. */
export interface ReadOptions {
  readonly rules: Required<AccessTokenRules>;
  readonly jwksUri: string;
  readonly clockToleranceSeconds: number;
  readonly revocations: Required<RevocationOptions> | null;
  readonly fetch: Fetch;
  readonly onError: (error: unknown) => void;
}

const KNOWN: readonly string[] = [
  'issuer',
  'audience',
  'algorithms',
  'jwksUri',
  'clockToleranceSeconds',
  'revocations',
  'fetch',
  'onError',
] satisfies (keyof VerifierOptions)[];
const KNOWN_OF_REVOCATIONS: readonly string[] = [
  'uri',
  'maxStaleSeconds',
  'onUnavailable',
] satisfies (keyof RevocationOptions)[];

/** @throws TypeError naming the invalid option: a misspelled one would silently weaken the verifier. */
export function readOptions(options: VerifierOptions): ReadOptions {
  refuseUnknown('', options, KNOWN);
  const { issuer, audience, algorithms = SIGNATURE_ALGORITHMS, clockToleranceSeconds = 5 } = options;
  demand(
    isIssuer(issuer),
    'issuer',
    'must be the PUBLIC_URL of the issuer exactly as "iss" has it: http(s)://host, in lower case, without a slash at the end',
  );
  demand(isText(audience), 'audience', 'must be the intended audience of the tokens');
  demand(
    Array.isArray(algorithms) && algorithms.length > 0 && algorithms.every(isAlgorithm),
    'algorithms',
    `must be a list of ${SIGNATURE_ALGORITHMS.join(', ')}`,
  );
  demand(
    clockToleranceSeconds >= 0 && clockToleranceSeconds <= 60,
    'clockToleranceSeconds',
    'must be 0 to 60',
  );
  const { jwksUri = wellKnown(issuer, 'jwks.json') } = options;
  demand(isUri(jwksUri), 'jwksUri', 'must be an http(s) URL');
  const onError = options.onError ?? (() => undefined);
  return {
    rules: { issuer, audience, algorithms: [...algorithms] },
    jwksUri,
    clockToleranceSeconds,
    revocations: options.revocations ? readRevocations(issuer, options.revocations) : null,
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    onError: (error) => onError(error instanceof Error ? error : new Error(String(error))),
  };
}

function readRevocations(issuer: string, given: true | RevocationOptions): Required<RevocationOptions> {
  const options = given === true ? {} : given;
  refuseUnknown('revocations.', options, KNOWN_OF_REVOCATIONS);
  const { uri = wellKnown(issuer, 'revocations'), maxStaleSeconds = Infinity } = options;
  const { onUnavailable = 'refuse' } = options;
  demand(isUri(uri), 'revocations.uri', 'must be an http(s) URL');
  demand(maxStaleSeconds > 0, 'revocations.maxStaleSeconds', 'must be more than 0');
  demand(
    ['refuse', 'accept'].includes(onUnavailable),
    'revocations.onUnavailable',
    'must be refuse or accept',
  );
  return { uri, maxStaleSeconds, onUnavailable };
}

function wellKnown(issuer: string, name: string): string {
  return `${issuer}/.well-known/${name}`;
}

function demand(isFine: boolean, option: string, rule: string): asserts isFine {
  if (!isFine) throw new TypeError(`createVerifier: ${option} ${rule}`);
}

function refuseUnknown(prefix: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  demand(
    unknown === undefined,
    `${prefix}${unknown}`,
    `is not an option; the options are ${known.join(', ')}`,
  );
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** An origin, or a URL with a path. Any other form of it would refuse every token. */
function isIssuer(value: string): boolean {
  if (!isText(value) || !isUri(value)) return false;
  const { origin, pathname } = new URL(value);
  return value === origin || (value === origin + pathname && !value.endsWith('/'));
}

function isAlgorithm(value: unknown): boolean {
  return SIGNATURE_ALGORITHMS.some((algorithm) => algorithm === value);
}

function isUri(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
}
