import { type DynamicModule, Module } from '@nestjs/common';
import { ThrottlerModule, type ThrottlerOptions } from '@nestjs/throttler';
import type { Logger } from 'pino';
import type { RateLimit } from '../../config/setting.config.js';
import type { ThrottleConfig } from '../../config/throttle.config.js';
import { isOtherPolicy, type RateLimitPolicy } from './rate-limit.guard.js';
import { RateLimitStorage } from './rate-limit.storage.js';
import { RedisConnection } from './redis.connection.js';

/** Rate limits: the policies of the configuration over counters in memory or Redis. */
@Module({})
export class ThrottleModule {
  static forRoot(config: ThrottleConfig, logger: Logger): DynamicModule {
    const redis = new RedisConnection(config, logger);
    const throttlers = [
      ...policy('default', config.RATE_LIMIT_DEFAULT),
      ...policy('login', config.RATE_LIMIT_LOGIN),
      ...policy('signup', config.RATE_LIMIT_SIGNUP),
    ];
    // The throttler wants at least one policy; with none configured it always skips.
    const none: ThrottlerOptions = { name: 'default', limit: 1, ttl: 1000, skipIf: () => true };
    return {
      module: ThrottleModule,
      global: true,
      imports: [
        ThrottlerModule.forRoot({
          throttlers: throttlers.length > 0 ? throttlers : [none],
          storage: new RateLimitStorage(redis),
        }),
      ],
      providers: [{ provide: RedisConnection, useValue: redis }],
      exports: [RedisConnection, ThrottlerModule],
    };
  }
}

function policy(name: 'default' | RateLimitPolicy, limit: RateLimit): ThrottlerOptions[] {
  if (!limit) return [];
  const options = { name, limit: limit.count, ttl: limit.windowSeconds * 1000 };
  return [name === 'default' ? options : { ...options, skipIf: isOtherPolicy(name) }];
}
