import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { OpenAPIObject } from '@nestjs/swagger';
import type { AuthConfig } from '../../config/auth.config.js';
import type { Config } from '../../config/load.config.js';
import { AppModule } from '../app.module.js';
import type { Database } from '../platform/database/database.js';
import { allStrategies, strategiesOf } from '../platform/docs/documented-strategies.js';
import { buildOpenApi } from '../platform/docs/openapi.js';
import { Drain } from '../platform/http/drain.js';
import { RouteTable } from '../platform/http/route-table.js';
import { createLogger } from '../platform/logging/logger.js';
import { RateLimiter } from '../platform/throttle/rate-limiter.js';

/** `all` is the union over all values of AUTH_STRATEGY. */
export type DescribedStrategies = 'all' | AuthConfig['AUTH_STRATEGY'];

/** The OpenAPI document of a configuration, as `GET /openapi.json` returns it, without a database. */
export async function describeApi(config: Config, strategies: DescribedStrategies): Promise<OpenAPIObject> {
  const logger = createLogger(config.app, { write: () => undefined });
  // In preview mode Nest reads the classes of controllers and calls no constructor, so nothing uses these parts.
  const app: INestApplication = await NestFactory.create(
    AppModule.forRoot({
      config,
      database: {} as Database,
      logger,
      routes: new RouteTable(),
      limiter: new RateLimiter({ ...config.throttle, REDIS_URL: undefined }, logger),
      drain: new Drain(),
    }),
    new FastifyAdapter(),
    { preview: true, logger: false, abortOnError: false },
  );
  if (strategies === 'all') return buildOpenApi(app, allStrategies(config));
  return buildOpenApi(app, strategiesOf(config, strategies));
}
