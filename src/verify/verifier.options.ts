import type { AccessTokenRules } from './access-token.gate.js';
import { SIGNATURE_ALGORITHMS, type SignatureAlgorithm } from './compact-jws.js';
import type { Fetch } from './download.js';

export interface RevocationOptions {
  /** Where the feed is; by default `/.well-known/revocations` of the issuer. */
  readonly uri?: string;
  /** Seconds without an answer after which the feed is not believed; never longer than its own signed `exp` allows. */
  readonly maxStaleSeconds?: number;
  /** What to do then: refuse with 503, which is the default, or accept what is not known to be revoked. */
  readonly onUnavailable?: 'refuse' | 'accept';
}

export interface VerifierOptions {
  /** The `PUBLIC_URL` of the service that issues, exactly as it stands in `iss`: no slash at the end. */
  readonly issuer: string;
  /** Its `AUTH_AUDIENCE`: who the tokens are meant for. */
  readonly audience: string;
  /** What tokens may be signed with; by default ES256, PS256 and RS256, each key with its one. */
  readonly algorithms?: readonly SignatureAlgorithm[];
  /** Where the keys are; by default `/.well-known/jwks.json` of the issuer. Over plain HTTP, only in a network you trust. */
  readonly jwksUri?: string;
  /** Seconds that this machine's clock may differ from the issuer's: 0 to 60, 5 by default. */
  readonly clockToleranceSeconds?: number;
  /** Whether revoked tokens are refused before they expire. Off by default: then sign-outs are noticed at `exp`. */
  readonly revocations?: boolean | RevocationOptions;
  /** Instead of the global `fetch`: for a proxy, a certificate, a test. */
  readonly fetch?: Fetch;
  /** Is told when keys or revocations cannot be read, also where that changed no verdict yet. */
  readonly onError?: (error: Error) => void;
}

/** Options with every default filled in. */
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

/** @throws TypeError naming the option that is not usable: a misspelt one would quietly weaken the verifier. */
export function readOptions(options: VerifierOptions): ReadOptions {
  refuseUnknown('', options, KNOWN);
  const { issuer, audience, algorithms = SIGNATURE_ALGORITHMS, clockToleranceSeconds = 5 } = options;
  demand(
    isIssuer(issuer),
    'issuer',
    'must be the PUBLIC_URL of the issuer exactly as "iss" has it: http(s)://host, in lower case, without a slash at the end',
  );
  demand(isText(audience), 'audience', 'must be the audience that the tokens are meant for');
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
  demand(unknown === undefined, `${prefix}${unknown}`, `is not an option; there are ${known.join(', ')}`);
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

/** An origin, or a URL with a path. Another spelling of it would refuse every token. */
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
