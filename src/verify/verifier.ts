import { createHash } from 'node:crypto';
import type { CryptoKey } from 'jose';
import { type AccessTokenClaims, checkTimes, inspectAccessToken } from './access-token.gate.js';
import type { SignatureAlgorithm } from './compact-jws.js';
import { KeySet } from './key-set.js';
import {
  type ConnectMiddleware,
  connectMiddleware,
  type FastifyHook,
  fastifyHook,
  protectHandler,
  type ProtectedHandler,
  type RequestHandler,
  type RequestLike,
  tokenOf,
} from './request.adapter.js';
import { Revocations } from './revocations.js';
import { verifySignature } from './signature.js';
import { readOptions, type VerifierOptions } from './verifier.options.js';
import { TokenRefused } from './verify.errors.js';

/** Verifies access tokens of one issuer for one audience. */
export interface Verifier {
  /**
   * Returns the claims of a valid token. They are frozen and may be shared between calls.
   *
   * @throws TokenRefused if the token is not valid.
   * @throws KeysUnavailable, RevocationsUnavailable (both Undecided) if no verdict is possible now.
   */
  verify(token: string): Promise<AccessTokenClaims>;
  /**
   * The same for the bearer token in the `Authorization` of a request: of `fetch`, of Node.js, or any object with
   * headers. Tokens in cookies, in the query or in a body are ignored (RFC 6750 §2).
   */
  verifyRequest(request: RequestLike): Promise<AccessTokenClaims>;
  /**
   * For servers that answer a `Request` with a `Response`: `fetch: verifier.protect((request, claims) => …)`.
   * Refusals are answered with 401, and with 503 if no verdict is possible (RFC 9457 problems, RFC 6750 challenges).
   */
  protect<Rest extends unknown[]>(handler: ProtectedHandler<Rest>): RequestHandler<Rest>;
  /** For Express and other servers of `(request, response, next)`: `app.use(verifier.express())`. Sets `request.auth`. */
  express(): ConnectMiddleware;
  /** For Fastify: `app.addHook('onRequest', verifier.fastify())`. Sets `request.auth`. */
  fastify(): FastifyHook;
}

/** A token with a verified signature, and its key. */
interface Verified {
  readonly claims: AccessTokenClaims;
  readonly kid: string;
  readonly algorithm: SignatureAlgorithm;
  readonly key: CryptoKey;
}

/** The maximum of cached tokens, about a kilobyte each. */
const REMEMBERED_MAX = 10_000;

/**
 * Creates a verifier. Create one for the lifetime of the process: it caches keys, revocations and verified tokens. It
 * fetches nothing before the first token.
 *
 * @throws TypeError naming the invalid option.
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const { rules, clockToleranceSeconds, jwksUri, revocations, fetch, onError } = readOptions(options);
  const shared = { fetch, report: onError, algorithms: rules.algorithms };
  const keys = new KeySet({ ...shared, uri: jwksUri });
  const feed = revocations
    ? new Revocations({
        ...shared,
        ...revocations,
        keys,
        issuer: rules.issuer,
        toleranceSeconds: clockToleranceSeconds,
      })
    : null;
  const remembered = new Map<string, Verified>();

  /** Only valid signatures are cached, for as long as the key set contains the key. */
  async function readSigned(token: string): Promise<AccessTokenClaims> {
    // Hash of the whole token: a part of it, or a short hash, could be equal for two users (CVE-2026-35039).
    const id = createHash('sha256').update(token).digest('base64');
    const known = remembered.get(id);
    if (known && (await keys.find(known.kid, known.algorithm)) === known.key) return known.claims;
    const gate = inspectAccessToken(token, rules);
    if (!gate.ok) throw new TokenRefused(gate.refusal);
    const { kid, algorithm, claims } = gate;
    const key = await keys.find(kid, algorithm);
    if (typeof key === 'string') throw new TokenRefused(key);
    if (!(await verifySignature(token, key, algorithm))) throw new TokenRefused('bad_signature');
    const [oldest] = remembered.keys();
    if (remembered.size >= REMEMBERED_MAX && oldest !== undefined) remembered.delete(oldest);
    remembered.set(id, { claims: frozen(claims), kid, algorithm, key });
    return claims;
  }

  async function verify(token: string): Promise<AccessTokenClaims> {
    if (typeof token !== 'string') throw new TokenRefused('malformed');
    const claims = await readSigned(token);
    const untimely = checkTimes(claims, Date.now() / 1000, clockToleranceSeconds);
    if (untimely) throw new TokenRefused(untimely);
    const remedy = await feed?.judge(claims);
    if (remedy) throw new TokenRefused('revoked', remedy);
    return claims;
  }

  async function verifyRequest(request: RequestLike): Promise<AccessTokenClaims> {
    const token = tokenOf(request);
    if (token === null) throw new TokenRefused('missing');
    return verify(token);
  }

  return {
    verify,
    verifyRequest,
    protect: (handler) => protectHandler(verifyRequest, handler),
    express: () => connectMiddleware(verifyRequest),
    fastify: () => fastifyHook(verifyRequest),
  };
}

function frozen(claims: AccessTokenClaims): AccessTokenClaims {
  for (const value of Object.values(claims)) if (typeof value === 'object') Object.freeze(value);
  return Object.freeze(claims);
}
