import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { RateLimit } from '../../config/setting.config.js';
import type { ThrottleConfig } from '../../config/throttle.config.js';
import { hadDeadCredential } from '../http/dead-credentials.js';
import { FORWARD_AUTH_PATH } from '../http/forward-auth-path.js';
import { OAUTH_ENDPOINTS } from '../http/oauth-endpoints.js';
import { Problem } from '../problems/problem.js';
import { clientNetwork } from './client-network.js';
import { type RateLimitRecord, RateLimitStorage } from './rate-limit.storage.js';
import { RedisConnection } from './redis.connection.js';

type ActiveLimit = NonNullable<RateLimit>;

/** What machines ask, once for each request of theirs. */
const ASKED_BY_MACHINES: ReadonlySet<string> = new Set([
  FORWARD_AUTH_PATH,
  ...Object.values(OAUTH_ENDPOINTS),
]);

/**
 * Which requests of a route count under the policy for all requests; undefined is an address that does not exist.
 * Health checks never do: a load balancer asks them as often as it likes. Of what proxies and services ask, those
 * count that were refused: so guessing is limited, and use is not.
 */
export function countedRequests(route: string | undefined): 'all' | 'refused' | 'none' {
  if (route?.startsWith('/health/')) return 'none';
  return route !== undefined && ASKED_BY_MACHINES.has(route) ? 'refused' : 'all';
}

/**
 * Counts requests against the client address, policy by policy, and says how much is left in the RateLimit header
 * fields (draft-ietf-httpapi-ratelimit-headers-10).
 */
export class RateLimiter {
  readonly redis: RedisConnection;
  readonly storage: RateLimitStorage;
  private hasWarned = false;

  constructor(
    private readonly config: ThrottleConfig,
    logger: Logger,
  ) {
    this.redis = new RedisConnection(config, logger);
    this.storage = new RateLimitStorage(this.redis);
  }

  /**
   * Counts a request under the policy for all requests. Where only refusals count, it looks whether the quota is used
   * up: requests that are being answered at that moment still are.
   *
   * @returns null where it is not counted, so that this costs nothing; else what refuses the request, if anything.
   */
  countRequest(request: FastifyRequest, reply: FastifyReply): Promise<Problem | null> | null {
    const limit = this.config.RATE_LIMIT_DEFAULT;
    const counted = countedRequests(request.routeOptions.url);
    if (!limit || counted === 'none') return null;
    return counted === 'all'
      ? this.count('default', limit, request, reply)
      : this.look('default', limit, request, reply);
  }

  /**
   * Counts a request that was refused, or brought a guess beside a good credential, where only those count.
   *
   * @returns null where it is not counted, so that this costs nothing.
   */
  countRefusal(request: FastifyRequest, reply: FastifyReply): Promise<unknown> | null {
    const { statusCode } = reply;
    // What could not be decided is no refusal, and what the quota refuses is not looked at.
    const isRefused = statusCode >= 400 && statusCode < 500 && statusCode !== 429;
    if (!isRefused && !hadDeadCredential(request)) return null;
    const limit = this.config.RATE_LIMIT_DEFAULT;
    if (!limit || countedRequests(request.routeOptions.url) !== 'refused') return null;
    return this.count('default', limit, request, reply);
  }

  /** Counts a request under a policy. @returns what refuses the request, if anything. */
  async count(
    policy: string,
    { count, windowSeconds }: ActiveLimit,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Problem | null> {
    this.warnOfUntrustedProxy(request);
    const ttl = windowSeconds * 1000;
    const record = await this.storage.increment(clientNetwork(request.ip), ttl, count, ttl, policy);
    announce(reply, policy, windowSeconds, record);
    return record.isBlocked ? this.refuse(policy, windowSeconds, record, request) : null;
  }

  /** Counts nothing, and says nothing unless the quota is used up. @returns what refuses the request, if anything. */
  private async look(
    policy: string,
    { count, windowSeconds }: ActiveLimit,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Problem | null> {
    this.warnOfUntrustedProxy(request);
    const record = await this.storage.look(clientNetwork(request.ip), windowSeconds * 1000, count, policy);
    if (!record.isBlocked) return null;
    announce(reply, policy, windowSeconds, record);
    return this.refuse(policy, windowSeconds, record, request);
  }

  private refuse(
    policy: string,
    windowSeconds: number,
    { limit, timeToExpire }: RateLimitRecord,
    request: FastifyRequest,
  ): Problem {
    request.log.warn({ event: 'rate_limited', policy, ip: request.ip });
    return new Problem('rate_limited', {
      detail: `The quota "${policy}" of ${limit} requests in ${windowSeconds} s is used up. Retry in ${timeToExpire} s.`,
      members: { 'violated-policies': [policy] },
      headers: { 'retry-after': String(timeToExpire) },
    });
  }

  /** Behind a proxy that is not trusted, everybody shares one counter: say it once. */
  private warnOfUntrustedProxy(request: FastifyRequest): void {
    if (this.hasWarned || request.ips !== undefined || !request.headers['x-forwarded-for']) return;
    this.hasWarned = true;
    request.log.warn(
      { event: 'untrusted_proxy' },
      'X-Forwarded-For arrived, but TRUST_PROXY is 0: if a proxy stands in front, all its clients share one rate limit',
    );
  }
}

function announce(
  reply: FastifyReply,
  policy: string,
  windowSeconds: number,
  { limit, totalHits, timeToExpire, isBlocked }: RateLimitRecord,
): void {
  const remaining = isBlocked ? 0 : Math.max(0, limit - totalHits);
  append(reply, 'ratelimit-policy', `"${policy}";q=${limit};w=${windowSeconds}`);
  append(reply, 'ratelimit', `"${policy}";r=${remaining};t=${timeToExpire}`);
}

function append(reply: FastifyReply, name: string, item: string): void {
  const sofar = reply.getHeader(name);
  reply.header(name, sofar === undefined ? item : `${String(sofar)}, ${item}`);
}
