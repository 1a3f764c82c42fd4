import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DestinationStream, Logger } from 'pino';
import type { Config } from '../config/load.config.js';
import { AppModule } from './app.module.js';
import { ENTITIES } from './entities.js';
import { NodeRegistration } from './auth/nodes/node-registration.service.js';
import type { MisfitPolicy } from './auth/nodes/nodes.service.js';
import { serveAccountPages } from './auth/verification/serve-account-pages.js';
import { openDatabase, type OpenDatabase } from './database/open.database.js';
import { createHttpAdapter } from './http/http.adapter.js';
import { RouteTable } from './http/route-table.js';
import { createLogger } from './logging/logger.js';
import { RateLimiter } from './throttle/rate-limiter.js';

export interface RunningApp {
  readonly app: NestFastifyApplication;
  readonly database: OpenDatabase;
  readonly logger: Logger;
  /** Finishes what is in flight, then closes everything. */
  close(): Promise<void>;
}

export interface AppOptions {
  /** Where log lines go; standard output by default. */
  readonly logDestination?: DestinationStream;
  /** Hears what is happening, for a person who waits. */
  readonly tell?: (progress: string) => void;
  /** A database that is open already, for several applications in one process. Whoever opened it closes it. */
  readonly database?: OpenDatabase;
  /** What to do where other nodes run a value of AUTH_STRATEGY that does not fit; refused by default. */
  readonly misfit?: MisfitPolicy;
}

/**
 * Opens the database, brings its schema up to date and builds the application, ready to listen or to be sent
 * requests directly.
 *
 * @throws what keeps it from starting: the database away, the data directory held, secrets or a strategy that do not
 * fit.
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
    const routes = new RouteTable();
    const limiter = new RateLimiter(config.throttle, logger);
    app = await NestFactory.create<NestFastifyApplication>(
      AppModule.forRoot({ config, database: database.database, logger, routes, limiter }),
      createHttpAdapter(config.app, logger, routes, limiter),
      { bodyParser: false, logger: false, abortOnError: false },
    );
    allowTrustedOrigins(app, config);
    if (config.app.DOCS) (await import('./docs/swagger.js')).serveDocs(app, config);
    if (config.app.APP_ENV !== 'production')
      (await import('./mail/mailbox.js')).serveMailbox(app, config, database.database);
    serveAccountPages(app);
    await app.init();
    await app.getHttpAdapter().getInstance().ready();
    await app.get(NodeRegistration, { strict: false }).register(options.misfit ?? 'refuse');
    const opened = app;
    const close = async () => {
      await opened.close();
      await closeDatabase();
    };
    return { app, database, logger, close };
  } catch (error) {
    await app?.close().catch(() => undefined);
    await closeDatabase();
    throw error;
  }
}

/** CORS for the other origins that are trusted, by an exact list; with none, no reply can be read across origins. */
function allowTrustedOrigins(app: NestFastifyApplication, config: Config): void {
  const others = config.app.TRUSTED_ORIGINS.filter((origin) => origin !== config.app.PUBLIC_URL);
  if (others.length === 0) return;
  app.enableCors({
    origin: others,
    credentials: true,
    methods: ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type'],
    exposedHeaders: ['ratelimit', 'ratelimit-policy', 'retry-after', 'www-authenticate', 'x-request-id'],
    maxAge: 600,
    // A preflight is counted like any other request, and answered after that.
    preflightContinue: true,
    // An OPTIONS that is no preflight is answered like any other method.
    strictPreflight: false,
  });
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (_request: FastifyRequest, reply: FastifyReply, done: () => void) => {
    if (reply.hasHeader('access-control-allow-methods')) reply.code(204);
    done();
  });
}
