import { Controller, Get } from '@nestjs/common';
import {
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorResult,
  HealthIndicatorService,
} from '@nestjs/terminus';
import { Database } from '../database/database.js';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../docs/api-reply.decorator.js';
import { Public } from '../http/public.decorator.js';
import { Problem } from '../problems/problem.js';
import { RedisConnection } from '../throttle/redis.connection.js';
import { liveReplySchema, readyReplySchema } from './health.dto.js';
import { Readiness } from './readiness.js';

/** Milliseconds after which a database counts as down. */
const DATABASE_PATIENCE = 1_000;

/** Whether the process lives, and whether it can do its work. */
@ApiGroup('Health')
@Public()
@Controller('health')
export class HealthController {
  constructor(
    private readonly health: HealthCheckService,
    private readonly indicator: HealthIndicatorService,
    private readonly database: Database,
    private readonly redis: RedisConnection,
    private readonly readiness: Readiness,
  ) {}

  @Get('live')
  @ApiRoute({ summary: 'The process lives', operationId: 'live' })
  @ApiReply(200, liveReplySchema, 'It does')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiRoute({ summary: 'The service can do its work', operationId: 'ready' })
  @ApiReply(200, readyReplySchema, 'It can; Redis may be down, there is a fallback')
  @ApiProblems('not_ready')
  async ready(): Promise<Pick<HealthCheckResult, 'status' | 'details'>> {
    try {
      const { status, details } = await this.health.check([
        () => this.checkDatabase(),
        () => this.checkKeys(),
        () => this.reportRedis(),
      ]);
      return { status, details };
    } catch (error) {
      throw new Problem('not_ready', {
        headers: { 'retry-after': '5' },
        members: { checks: detailsOf(error) },
      });
    }
  }

  private async checkDatabase(): Promise<HealthIndicatorResult> {
    const check = this.indicator.check('database');
    try {
      await this.database.ping(DATABASE_PATIENCE);
      return check.up();
    } catch {
      return check.down();
    }
  }

  private checkKeys(): HealthIndicatorResult {
    const check = this.indicator.check('keys');
    return this.readiness.hasKeys() ? check.up() : check.down();
  }

  /** Never red: without Redis each process counts alone. */
  private reportRedis(): HealthIndicatorResult {
    return this.indicator.check('redis').up({ connection: this.redis.status() });
  }
}

function detailsOf(error: unknown): unknown {
  const response =
    error instanceof Error && 'getResponse' in error && typeof error.getResponse === 'function'
      ? (error.getResponse() as { details?: unknown })
      : {};
  return response.details ?? {};
}
