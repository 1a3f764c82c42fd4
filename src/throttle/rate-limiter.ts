import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { RateLimit } from '../../config/setting.config.js';
import type { ThrottleConfig } from '../../config/throttle.config.js';
import { Problem } from '../problems/problem.js';
import { clientNetwork } from './client-network.js';
import { RateLimitStorage } from './rate-limit.storage.js';
import { RedisConnection } from './redis.connection.js';

/**
 * Whether the policy for all requests counts a route; undefined is an address that does not exist. Health checks
 * are never counted: a load balancer asks them as often as it likes.
 */
export function isCounted(route: string | undefined): boolean {
  return !route?.startsWith('/health/');
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
   * Counts a request under the policy for all requests.
   *
   * @returns null where it is not counted, so that this costs nothing; else what refuses the request, if anything.
   */
  countRequest(request: FastifyRequest, reply: FastifyReply): Promise<Problem | null> | null {
    const limit = this.config.RATE_LIMIT_DEFAULT;
    if (!limit || !isCounted(request.routeOptions.url)) return null;
    return this.count('default', limit, request, reply);
  }

  /** Counts a request under a policy. @returns what refuses the request, if anything. */
  async count(
    policy: string,
    { count, windowSeconds }: NonNullable<RateLimit>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Problem | null> {
    this.warnOfUntrustedProxy(request);
    const ttl = windowSeconds * 1000;
    const { totalHits, timeToExpire, isBlocked, limit } = await this.storage.increment(
      clientNetwork(request.ip),
      ttl,
      count,
      ttl,
      policy,
    );
    const remaining = isBlocked ? 0 : Math.max(0, limit - totalHits);
    append(reply, 'ratelimit-policy', `"${policy}";q=${limit};w=${windowSeconds}`);
    append(reply, 'ratelimit', `"${policy}";r=${remaining};t=${timeToExpire}`);
    if (!isBlocked) return null;
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

function append(reply: FastifyReply, name: string, item: string): void {
  const sofar = reply.getHeader(name);
  reply.header(name, sofar ? `${String(sofar)}, ${item}` : item);
}
