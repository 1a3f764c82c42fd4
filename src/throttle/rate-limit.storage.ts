import { Injectable } from '@nestjs/common';
import type { ThrottlerStorage } from '@nestjs/throttler';
import {
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterAbstract,
} from 'rate-limiter-flexible';
import type { RedisConnection } from './redis.connection.js';

type ThrottlerRecord = Awaited<ReturnType<ThrottlerStorage['increment']>>;

/**
 * Counters for the throttler: in Redis where there is one, else in memory. The throttler's own storage walks over
 * every live hit at each request; these count.
 *
 * Without Redis each process counts alone. When a configured Redis is gone, each process counts alone against
 * half the limit: several nodes together then stay near it.
 */
@Injectable()
export class RateLimitStorage implements ThrottlerStorage {
  private readonly limiters = new Map<string, RateLimiterAbstract>();

  constructor(private readonly redis: RedisConnection) {}

  /** @param ttl window in milliseconds, as the throttler gives it; the record speaks in seconds. */
  async increment(
    key: string,
    ttl: number,
    limit: number,
    _blockDuration: number,
    throttlerName: string,
  ): Promise<ThrottlerRecord> {
    const limiter = this.limiterOf(throttlerName, limit, Math.ceil(ttl / 1000));
    try {
      return toRecord(await limiter.consume(key), false);
    } catch (rejection) {
      // The rejection itself means blocked: its counters may say otherwise.
      if (rejection instanceof RateLimiterRes) return toRecord(rejection, true);
      throw rejection;
    }
  }

  private limiterOf(name: string, points: number, duration: number): RateLimiterAbstract {
    const id = `${name}:${points}:${duration}`;
    let limiter = this.limiters.get(id);
    if (!limiter) {
      limiter = this.create(name, points, duration);
      this.limiters.set(id, limiter);
    }
    return limiter;
  }

  private create(name: string, points: number, duration: number): RateLimiterAbstract {
    const keyPrefix = `traffy:rate:${name}`;
    if (!this.redis.client) return new RateLimiterMemory({ keyPrefix, points, duration });
    return new RateLimiterRedis({
      storeClient: this.redis.client,
      keyPrefix,
      points,
      duration,
      rejectIfRedisNotReady: true,
      insuranceLimiter: new RateLimiterMemory({
        keyPrefix,
        points: Math.max(1, Math.floor(points / 2)),
        duration,
      }),
    });
  }
}

function toRecord(result: RateLimiterRes, isBlocked: boolean): ThrottlerRecord {
  const seconds = Math.max(1, Math.ceil(result.msBeforeNext / 1000));
  return { totalHits: result.consumedPoints, timeToExpire: seconds, isBlocked, timeToBlockExpire: seconds };
}
