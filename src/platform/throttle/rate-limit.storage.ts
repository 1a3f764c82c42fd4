import type { ThrottlerStorage } from '@nestjs/throttler';
import {
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterAbstract,
} from 'rate-limiter-flexible';
import type { RedisConnection } from './redis.connection.js';

type ThrottlerRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** The record that the throttler needs, and the limit that applied. */
export interface RateLimitRecord extends ThrottlerRecord {
  readonly limit: number;
  /** Milliseconds until the window ends. */
  readonly msBeforeNext: number;
}

/** The counters of one policy. */
interface Counters {
  readonly usual: RateLimiterAbstract;
  /** The counter while Redis is unavailable. */
  readonly fallback: RateLimiterAbstract | null;
}

/**
 * Counters for the throttler, in Redis if configured, else in memory. The throttler's own storage scans every live
 * hit on each request; these counters do not.
 *
 * Without Redis each process counts alone. If a configured Redis is unavailable, each process enforces half the
 * limit, so that several nodes together stay near it.
 */
export class RateLimitStorage implements ThrottlerStorage {
  private readonly counters = new Map<string, Counters>();

  constructor(private readonly redis: RedisConnection) {}

  /** @param ttl window in milliseconds, as the throttler gives it; the record is in seconds. */
  increment(
    key: string,
    ttl: number,
    limit: number,
    _blockDuration: number,
    throttlerName: string,
  ): Promise<RateLimitRecord> {
    const { usual, fallback } = this.countersOf(throttlerName, limit, ttl);
    if (fallback === null) return consume(usual, key);
    // The library does not report the use of its own fallback, and the reply must state the limit that applied.
    return consume(usual, key).catch((error: unknown) => {
      this.redis.noteFailure(error);
      return consume(fallback, key);
    });
  }

  /**
   * Counts one hit less, in the window that counted it.
   *
   * @param counted the record of the hit, and when it was returned, by `performance.now()`.
   */
  async giveBack(
    key: string,
    ttl: number,
    limit: number,
    throttlerName: string,
    { record, at }: { readonly record: RateLimitRecord; readonly at: number },
  ): Promise<void> {
    // The next window has not counted this hit.
    if (performance.now() - at >= record.msBeforeNext) return;
    const { usual, fallback } = this.countersOf(throttlerName, limit, ttl);
    // The store that counted it is known by its limit. A store that fails keeps the hit: the stricter error.
    const store = fallback !== null && record.limit === fallback.points ? fallback : usual;
    await store.reward(key).catch(() => undefined);
  }

  private countersOf(name: string, points: number, ttl: number): Counters {
    const duration = Math.ceil(ttl / 1000);
    const id = `${name}:${points}:${duration}`;
    let counters = this.counters.get(id);
    if (!counters) {
      counters = this.create(name, points, duration);
      this.counters.set(id, counters);
    }
    return counters;
  }

  private create(name: string, points: number, duration: number): Counters {
    const keyPrefix = `traffy:rate:${name}`;
    if (!this.redis.client) {
      return { usual: new RateLimiterMemory({ keyPrefix, points, duration }), fallback: null };
    }
    const half = Math.max(1, Math.floor(points / 2));
    return {
      usual: new RateLimiterRedis({
        storeClient: this.redis.client,
        keyPrefix,
        points,
        duration,
        rejectIfRedisNotReady: true,
      }),
      fallback: new RateLimiterMemory({ keyPrefix, points: half, duration }),
    };
  }
}

/** @throws the error of the store if it cannot decide. */
function consume(limiter: RateLimiterAbstract, key: string): Promise<RateLimitRecord> {
  return limiter.consume(key).then(
    (counted) => toRecord(limiter, counted, false),
    (rejection: unknown) => {
      // A rejection always means blocked, even if its counters say otherwise.
      if (rejection instanceof RateLimiterRes) return toRecord(limiter, rejection, true);
      throw rejection;
    },
  );
}

function toRecord(
  { points }: RateLimiterAbstract,
  { consumedPoints, msBeforeNext }: RateLimiterRes,
  isBlocked: boolean,
): RateLimitRecord {
  const seconds = Math.max(1, Math.ceil(msBeforeNext / 1000));
  return {
    limit: points,
    msBeforeNext,
    totalHits: consumedPoints,
    timeToExpire: seconds,
    isBlocked,
    timeToBlockExpire: seconds,
  };
}
