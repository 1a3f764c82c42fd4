import type { OnApplicationShutdown } from '@nestjs/common';
import { Redis } from 'ioredis';
import type { Logger } from 'pino';
import type { ThrottleConfig } from '../../../config/throttle.config.js';

/** Time limits of Redis in milliseconds: a rate counter must not delay a request. */
const TIMEOUTS = { connect: 1_000, command: 250 };

/** Milliseconds between two checks that Redis takes writes. */
const PROBE = 1_000;
/** Written by each check, and gone by itself. */
const PROBE_KEY = 'traffy:probe';

/**
 * Replies of a server that is not the one that writes, or not ready: after a failover, the address leads to another
 * server, but only for new connections. `OOM` and `MISCONF` are absent: connecting again does not help.
 */
const OTHER_SERVER = /^(READONLY|LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|UNBLOCKED|NOREPLICAS)(?= |$)/;

/**
 * The connection to Redis, if configured. It can be unavailable, or refuse to write: rate limits then count in memory.
 */
export class RedisConnection implements OnApplicationShutdown {
  readonly client: Redis | null;
  private isUp = false;
  private reported = false;
  private isStopping = false;
  private readonly timer: NodeJS.Timeout | undefined;

  constructor(
    config: ThrottleConfig,
    private readonly logger: Logger,
  ) {
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
      reconnectOnError: ({ message }) => OTHER_SERVER.test(message),
    });
    this.client.on('error', (error) => this.noteFailure(error));
    this.client.on('close', () => this.noteFailure());
    this.client.on('ready', () => void this.probe());
    this.timer = setInterval(() => void this.probe(), PROBE).unref();
  }

  /** `off` if not configured, else whether it took the last write. */
  status(): 'off' | 'up' | 'down' {
    if (!this.client) return 'off';
    return this.isUp ? 'up' : 'down';
  }

  /** Records that a command failed, which says that Redis is down, whatever its connection says. */
  noteFailure(error?: unknown): void {
    this.isUp = false;
    if (this.reported || this.isStopping) return;
    this.reported = true;
    // READONLY, OOM and their like; the rest of such a reply can quote the command.
    const [reason] = /^[A-Z]{3,}(?= )/.exec(error instanceof Error ? error.message : '') ?? [];
    this.logger.warn(
      { event: 'redis_unavailable', ...(reason && { reason }), ...(error !== undefined && { err: error }) },
      'Redis is away or refuses writes: each process counts alone, more strictly',
    );
  }

  onApplicationShutdown(): void {
    this.isStopping = true;
    clearInterval(this.timer);
    this.client?.disconnect();
  }

  /** A write, because a replica and a full server still answer reads. */
  private async probe(): Promise<void> {
    if (this.client?.status !== 'ready') return;
    try {
      await this.client.set(PROBE_KEY, '', 'PX', 10 * PROBE);
    } catch (error) {
      this.noteFailure(error);
      return;
    }
    this.isUp = true;
    if (this.reported) this.logger.info({ event: 'redis_available' }, 'Redis is back');
    this.reported = false;
  }
}
