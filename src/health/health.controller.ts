import { Controller, Get } from '@nestjs/common';
import {
  type HealthCheckResult,
  HealthCheckService,
  type HealthIndicatorResult,
  HealthIndicatorService,
} from '@nestjs/terminus';
import { Database } from '../platform/database/database.js';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { Public } from '../platform/http/public.decorator.js';
import { Problem } from '../platform/problems/problem.js';
import { RedisConnection } from '../platform/throttle/redis.connection.js';
import { liveReplySchema, readyReplySchema } from './health.dto.js';
import { Readiness } from './readiness.js';

/** Liveness, and readiness to serve requests. */
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
  @ApiRoute({ summary: 'The process lives', operationId: 'checkLiveness' })
  @ApiReply(200, liveReplySchema, 'It does')
  @ApiProblems('malformed_request')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('ready')
  @ApiRoute({ summary: 'The service can do its work', operationId: 'checkReadiness' })
  @ApiReply(200, readyReplySchema, 'It can; Redis may be down, there is a fallback')
  @ApiProblems('malformed_request', 'not_ready')
  async ready(): Promise<Pick<HealthCheckResult, 'status' | 'details'>> {
    if (this.readiness.isStopping()) throw notReady({ stopping: { status: 'down' } });
    try {
      const { status, details } = await this.health.check([
        () => this.checkDatabase(),
        () => this.checkKeys(),
        () => this.reportRedis(),
        () => this.reportMail(),
      ]);
      return { status, details };
    } catch (error) {
      throw notReady(detailsOf(error));
    }
  }

  private async checkDatabase(): Promise<HealthIndicatorResult> {
    const check = this.indicator.check('database');
    try {
      await this.database.check();
      return this.readiness.canWrite() ? check.up() : check.down();
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

  /** Never red: without mail, only those calls that need one never complete. */
  private reportMail(): HealthIndicatorResult {
    return this.indicator.check('mail').up({ delivery: this.readiness.mailDelivery() });
  }
}

function notReady(checks: unknown): Problem {
  return new Problem('not_ready', { headers: { 'retry-after': '5' }, members: { checks } });
}

function detailsOf(error: unknown): unknown {
  const response =
    error instanceof Error && 'getResponse' in error && typeof error.getResponse === 'function'
      ? (error.getResponse() as { details?: unknown })
      : {};
  return response.details ?? {};
}
