import type { ThrottlerStorage } from '@nestjs/throttler';
import {
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterAbstract,
} from 'rate-limiter-flexible';
import type { RedisConnection } from './redis.connection.js';

type ThrottlerRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/** What the throttler wants to know, and the limit that was in force. */
export interface RateLimitRecord extends ThrottlerRecord {
  readonly limit: number;
}

/** The counters of one policy. */
interface Counters {
  readonly usual: RateLimiterAbstract;
  /** What counts while Redis is away. */
  readonly fallback: RateLimiterAbstract | null;
}

/**
 * Counters for the throttler: in Redis where there is one, else in memory. The throttler's own storage walks over
 * every live hit at each request; these count.
 *
 * Without Redis each process counts alone. When a configured Redis is gone, each process counts alone against
 * half the limit: several nodes together then stay near it.
 */
export class RateLimitStorage implements ThrottlerStorage {
  private readonly counters = new Map<string, Counters>();

  constructor(private readonly redis: RedisConnection) {}

  /** @param ttl window in milliseconds, as the throttler gives it; the record speaks in seconds. */
  increment(
    key: string,
    ttl: number,
    limit: number,
    _blockDuration: number,
    throttlerName: string,
  ): Promise<RateLimitRecord> {
    return ask(this.countersOf(throttlerName, limit, ttl), (limiter) => consume(limiter, key));
  }

  /** What increment() would find, and counts nothing. @param ttl window in milliseconds. */
  look(key: string, ttl: number, limit: number, throttlerName: string): Promise<RateLimitRecord> {
    return ask(this.countersOf(throttlerName, limit, ttl), (limiter) => read(limiter, key));
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

/** @throws what the store throws when it cannot tell. */
function ask(
  { usual, fallback }: Counters,
  question: (limiter: RateLimiterAbstract) => Promise<RateLimitRecord>,
): Promise<RateLimitRecord> {
  // The library's own fallback does not tell that it was used, and the reply must say the limit in force.
  return fallback === null ? question(usual) : question(usual).catch(() => question(fallback));
}

function consume(limiter: RateLimiterAbstract, key: string): Promise<RateLimitRecord> {
  return limiter.consume(key).then(
    (counted) => toRecord(limiter, counted, false),
    (rejection: unknown) => {
      // The rejection itself means blocked: its counters may say otherwise.
      if (rejection instanceof RateLimiterRes) return toRecord(limiter, rejection, true);
      throw rejection;
    },
  );
}

async function read(limiter: RateLimiterAbstract, key: string): Promise<RateLimitRecord> {
  const counted = await limiter.get(key);
  // In memory a window that has passed stays until its timer fires.
  if (!counted || counted.msBeforeNext <= 0)
    return toRecord(limiter, new RateLimiterRes(limiter.points, limiter.duration * 1000, 0), false);
  return toRecord(limiter, counted, counted.consumedPoints >= limiter.points);
}

function toRecord(
  { points }: RateLimiterAbstract,
  { consumedPoints, msBeforeNext }: RateLimiterRes,
  isBlocked: boolean,
): RateLimitRecord {
  const seconds = Math.max(1, Math.ceil(msBeforeNext / 1000));
  return {
    limit: points,
    totalHits: consumedPoints,
    timeToExpire: seconds,
    isBlocked,
    timeToBlockExpire: seconds,
  };
}
