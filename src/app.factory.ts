import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { DestinationStream, Logger } from 'pino';
import type { Config } from '../config/load.config.js';
import { AppModule, deliveryOf } from './app.module.js';
import { ENTITIES } from './entities.js';
import { RunningStrategy } from './auth/sessions/running-strategy.js';
import { forgetNodes } from './cluster/forget-nodes.js';
import { NodeRegistration } from './cluster/node-registration.service.js';
import type { IncompatiblePolicy } from './cluster/node-registry.service.js';
import { allowOrigins } from './platform/http/cors.js';
import { warnOfForeignSites } from './platform/http/foreign-sites.js';
import { openDatabase, type OpenDatabase } from './platform/database/open.database.js';
import { createHttpAdapter } from './platform/fastify/http.adapter.js';
import { Drain } from './platform/http/drain.js';
import { RouteTable } from './platform/http/route-table.js';
import { createLogger } from './platform/logging/logger.js';
import { RateLimiter } from './platform/throttle/rate-limiter.js';
import { serveSite } from './site/serve-site.js';

export interface RunningApp {
  readonly app: NestFastifyApplication;
  readonly database: OpenDatabase;
  readonly logger: Logger;
  readonly drain: Drain;
  /** Completes requests in flight, then closes everything. */
  close(): Promise<void>;
}

export interface AppOptions {
  /** The destination of log lines; standard output by default. */
  readonly logDestination?: DestinationStream;
  /** Reports progress to the operator at the terminal. */
  readonly tell?: (progress: string) => void;
  /** An open database, for several applications in one process. Its opener closes it. */
  readonly database?: OpenDatabase;
  /** What to do if other nodes run an incompatible AUTH_STRATEGY; refuse by default. */
  readonly onIncompatible?: IncompatiblePolicy;
}

/**
 * Opens the database, migrates its schema and builds the application, ready to listen or to receive requests
 * directly.
 *
 * @throws the reason why it cannot start: the database is unavailable, the data directory is locked, or secrets or
 * the strategy do not fit.
 */
export async function createApp(config: Config, options: AppOptions = {}): Promise<RunningApp> {
  const logger = createLogger(config.app, options.logDestination);
  const database =
    options.database ?? (await openDatabase(config.database, ENTITIES, options.tell ?? (() => undefined)));
  const closeDatabase = async () => {
    if (!options.database) await database.close();
  };
  let app: NestFastifyApplication | undefined;
  try {
    if (!options.database) await forgetNodes(database);
    database.database.onChange((failure) => {
      if (failure) logger.warn({ event: 'database_unavailable', err: failure.cause });
      else logger.info({ event: 'database_available' });
    });
    const routes = new RouteTable();
    const limiter = new RateLimiter(config.throttle, logger);
    const drain = new Drain();
    app = await NestFactory.create<NestFastifyApplication>(
      AppModule.forRoot({ config, database: database.database, logger, routes, limiter, drain }),
      createHttpAdapter(config.app, logger, routes, limiter, drain),
      { bodyParser: false, logger: false, abortOnError: false },
    );
    allowOrigins(app, config.app);
    await warnOfForeignSites(config.app, logger);
    const running = app.get(RunningStrategy, { strict: false });
    if (config.app.DOCS)
      (await import('./platform/docs/swagger.js')).serveDocs(app, config, () => running.value);
    if (config.app.APP_ENV !== 'production')
      (await import('./mail/mailbox.js')).serveMailbox(app, config, database.database);
    serveSite(app, config);
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    await app.get(NodeRegistration, { strict: false }).register(options.onIncompatible ?? 'refuse');
    if (deliveryOf(config) === 'off') {
      logger.warn(
        { event: 'mail_not_sent' },
        'SMTP_URL is not set: no mail is sent, so that forgotten passwords cannot be reset and addresses not verified',
      );
    }
    const opened = app;
    const close = async () => {
      await opened.close();
      await closeDatabase();
    };
    return { app, database, logger, drain, close };
  } catch (error) {
    await app?.close().catch(() => undefined);
    await closeDatabase();
    throw error;
  }
}
