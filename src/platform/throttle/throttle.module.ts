import { type DynamicModule, Module } from '@nestjs/common';
import { ThrottlerModule, type ThrottlerOptions } from '@nestjs/throttler';
import type { RateLimit } from '../../../config/setting.config.js';
import type { ThrottleConfig } from '../../../config/throttle.config.js';
import { isOtherPolicy, type RateLimitPolicy } from './rate-limit.guard.js';
import { RateLimiter } from './rate-limiter.js';
import { RedisConnection } from './redis.connection.js';

/** Rate limits of single routes: the configured policies with the counters of the limiter. */
@Module({})
export class ThrottleModule {
  static forRoot(config: ThrottleConfig, limiter: RateLimiter): DynamicModule {
    const throttlers = [
      ...policy('login', config.RATE_LIMIT_LOGIN),
      ...policy('signup', config.RATE_LIMIT_SIGNUP),
    ];
    // The throttler requires a policy; without a configured one it always skips.
    const none: ThrottlerOptions = { name: 'none', limit: 1, ttl: 1000, skipIf: () => true };
    return {
      module: ThrottleModule,
      global: true,
      imports: [
        ThrottlerModule.forRoot({
          throttlers: throttlers.length > 0 ? throttlers : [none],
          storage: limiter.storage,
        }),
      ],
      providers: [
        { provide: RateLimiter, useValue: limiter },
        { provide: RedisConnection, useValue: limiter.redis },
      ],
      exports: [RateLimiter, RedisConnection, ThrottlerModule],
    };
  }
}

function policy(name: RateLimitPolicy, limit: RateLimit): ThrottlerOptions[] {
  if (!limit) return [];
  return [{ name, limit: limit.count, ttl: limit.windowSeconds * 1000, skipIf: isOtherPolicy(name) }];
}
