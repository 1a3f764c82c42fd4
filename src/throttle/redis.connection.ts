import type { OnApplicationShutdown } from '@nestjs/common';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { ThrottleConfig } from '../../config/throttle.config.js';

/** Milliseconds Redis may take: a rate counter must not hold up a request. */
const TIMEOUTS = { connect: 1_000, command: 250 };

/** The connection to Redis, where one is configured. It may be away: nothing depends on it but sharper counting. */
export class RedisConnection implements OnApplicationShutdown {
  readonly client: Redis | null;
  private reported = false;
  private isStopping = false;

  constructor(config: ThrottleConfig, logger: Logger) {
    if (config.REDIS_URL === undefined) {
      this.client = null;
      return;
    }
    this.client = new Redis(config.REDIS_URL, {
      connectTimeout: TIMEOUTS.connect,
      commandTimeout: TIMEOUTS.command,
      enableOfflineQueue: false,
      maxRetriesPerRequest: 1,
      retryStrategy: (attempt) => Math.min(attempt * 200, 2_000),
    });
    const report = (error?: Error) => {
      if (this.reported || this.isStopping) return;
      this.reported = true;
      logger.warn(
        { event: 'redis_unavailable', ...(error && { err: error }) },
        'Redis is away: each process counts alone, more strictly',
      );
    };
    this.client.on('error', report);
    this.client.on('close', () => report());
    this.client.on('ready', () => {
      if (this.reported) logger.info({ event: 'redis_available' }, 'Redis is back');
      this.reported = false;
    });
  }

  /** `off` where none is configured; else whether it answers now. */
  status(): 'off' | 'up' | 'down' {
    if (!this.client) return 'off';
    return this.client.status === 'ready' ? 'up' : 'down';
  }

  onApplicationShutdown(): void {
    this.isStopping = true;
    this.client?.disconnect();
  }
}
