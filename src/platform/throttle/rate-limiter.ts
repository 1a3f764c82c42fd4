import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { RateLimit } from '../../../config/setting.config.js';
import type { ThrottleConfig } from '../../../config/throttle.config.js';
import { FORWARD_AUTH_PATH } from '../http/forward-auth-path.js';
import { OAUTH_ENDPOINTS } from '../http/oauth-endpoints.js';
import { hadWrongGuess } from '../http/wrong-guess.js';
import { Problem } from '../problems/problem.js';
import { clientNetwork } from './client-network.js';
import { type RateLimitRecord, RateLimitStorage } from './rate-limit.storage.js';
import { RedisConnection } from './redis.connection.js';

type ActiveLimit = NonNullable<RateLimit>;

/** A hit that is given back if its request succeeds. */
interface Reservation {
  readonly policy: string;
  readonly limit: ActiveLimit;
  readonly record: RateLimitRecord;
  /** When it was counted, by `performance.now()`. */
  readonly at: number;
}

/** Routes that services and proxies call once for each of their own requests. */
const ASKED_BY_MACHINES: ReadonlySet<string> = new Set([
  FORWARD_AUTH_PATH,
  ...Object.values(OAUTH_ENDPOINTS),
]);

/**
 * Returns which requests of a route count under the policy for all requests; undefined is a path that does not exist.
 * Health checks never count: a load balancer calls them often, and all of them share one probe a second. Nor do the
 * files of the pages: a page has ten, in memory. Of the calls of
 * proxies and services, only those that do not succeed count, which limits guessing but not use.
 */
export function countedRequests(route: string | undefined): 'all' | 'unsuccessful' | 'none' {
  if (route?.startsWith('/health/') || route?.startsWith('/assets/')) return 'none';
  return route !== undefined && ASKED_BY_MACHINES.has(route) ? 'unsuccessful' : 'all';
}

/**
 * Counts requests per client address and policy, and reports the remaining quota in the RateLimit header fields
 * (draft-ietf-httpapi-ratelimit-headers-10).
 */
export class RateLimiter {
  readonly redis: RedisConnection;
  readonly storage: RateLimitStorage;
  private readonly reservations = new WeakMap<FastifyRequest, Reservation>();

  constructor(
    private readonly config: ThrottleConfig,
    logger: Logger,
  ) {
    this.redis = new RedisConnection(config, logger);
    this.storage = new RateLimitStorage(this.redis);
  }

  /**
   * Counts a request under the policy for all requests, before anything is done for it. If successes do not count,
   * `complete` gives the hit back.
   *
   * @returns null if the route is not counted, without a promise; else the refusal, if any.
   */
  countRequest(request: FastifyRequest, reply: FastifyReply): Promise<Problem | null> | null {
    const limit = this.config.RATE_LIMIT_DEFAULT;
    const counted = countedRequests(request.routeOptions.url);
    if (!limit || counted === 'none') return null;
    return counted === 'all'
      ? this.count('default', limit, request, reply)
      : this.reserve('default', limit, request, reply);
  }

  /**
   * Gives the hit of a reserved request back if it succeeded without a wrong guess beside the good credential, or if
   * the quota refused it before any work. Else the hit stays, also after a 503: that was work too.
   *
   * @returns null if nothing was reserved, without a promise.
   */
  complete(request: FastifyRequest, reply: FastifyReply): Promise<void> | null {
    const reservation = this.reservations.get(request);
    if (!reservation) return null;
    this.reservations.delete(request);
    const { policy, limit, record } = reservation;
    const isGivenBack = record.isBlocked || (reply.statusCode < 400 && !hadWrongGuess(request));
    if (!record.isBlocked && !isGivenBack) announce(reply, policy, limit.windowSeconds, record);
    if (!isGivenBack) return null;
    const { count, windowSeconds } = limit;
    return this.storage.giveBack(
      clientNetwork(request.clientAddress),
      windowSeconds * 1000,
      count,
      policy,
      reservation,
    );
  }

  /** Counts a request under a policy. @returns the refusal, if any. */
  async count(
    policy: string,
    limit: ActiveLimit,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Problem | null> {
    const { windowSeconds } = limit;
    const record = await this.take(policy, limit, request);
    announce(reply, policy, windowSeconds, record);
    return record.isBlocked ? this.refuse(policy, windowSeconds, record, request) : null;
  }

  /** Counts a request until `complete` decides, and writes header fields only if it is refused. */
  private async reserve(
    policy: string,
    limit: ActiveLimit,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<Problem | null> {
    const { windowSeconds } = limit;
    const record = await this.take(policy, limit, request);
    this.reservations.set(request, { policy, limit, record, at: performance.now() });
    if (!record.isBlocked) return null;
    announce(reply, policy, windowSeconds, record);
    return this.refuse(policy, windowSeconds, record, request);
  }

  private take(
    policy: string,
    { count, windowSeconds }: ActiveLimit,
    request: FastifyRequest,
  ): Promise<RateLimitRecord> {
    const ttl = windowSeconds * 1000;
    return this.storage.increment(clientNetwork(request.clientAddress), ttl, count, ttl, policy);
  }

  private refuse(
    policy: string,
    windowSeconds: number,
    { limit, timeToExpire }: RateLimitRecord,
    request: FastifyRequest,
  ): Problem {
    request.log.warn({ event: 'rate_limited', policy, ip: request.clientAddress });
    return new Problem('rate_limited', {
      detail: (texts) => texts.rateLimited(policy, limit, windowSeconds, timeToExpire),
      members: { 'violated-policies': [policy] },
      headers: { 'retry-after': String(timeToExpire) },
    });
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
