import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import type { Logger } from 'pino';
import type { Config } from '../config/load.config.js';
import {
  APP_CONFIG,
  AUDIT_CONFIG,
  AUTH_CONFIG,
  MAIL_CONFIG,
  PASSWORD_CONFIG,
} from '../config/tokens.config.js';
import { AuthGuard } from './auth/auth.guard.js';
import { AuthModule } from './auth/auth.module.js';
import { SigningKeys } from './auth/keys/signing-keys.service.js';
import { AuditModule } from './audit/audit.module.js';
import type { Database } from './database/database.js';
import { DatabaseModule } from './database/database.module.js';
import { HealthController } from './health/health.controller.js';
import { Readiness } from './health/readiness.js';
import { CrossSiteGuard } from './http/cross-site.guard.js';
import { RouteTable } from './http/route-table.js';
import { LOGGER } from './logging/logger.js';
import { MailModule } from './mail/mail.module.js';
import { ProblemFilter } from './problems/problem.filter.js';
import { validationProblem } from './problems/validation.js';
import { SweepModule } from './sweep/sweep.module.js';
import { RateLimitGuard } from './throttle/rate-limit.guard.js';
import type { RateLimiter } from './throttle/rate-limiter.js';
import { ThrottleModule } from './throttle/throttle.module.js';
import { UsersModule } from './users/users.module.js';

/** What the application is made from, opened by whoever starts it. */
export interface AppParts {
  readonly config: Config;
  readonly database: Database;
  readonly logger: Logger;
  readonly routes: RouteTable;
  readonly limiter: RateLimiter;
}

/** The composition root: which modules there are, and what every request passes, in order. */
@Module({})
export class AppModule {
  static forRoot({ config, database, logger, routes, limiter }: AppParts): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SettingsModule.forRoot(config, logger, routes),
        DatabaseModule.forRoot(database),
        ThrottleModule.forRoot(config.throttle, limiter),
        TerminusModule.forRoot({ logger: false }),
        SweepModule,
        AuditModule,
        MailModule,
        UsersModule,
        AuthModule,
      ],
      controllers: [HealthController],
      providers: [
        { provide: APP_FILTER, useClass: ProblemFilter },
        // In this order: count sign-ins and sign-ups, refuse what another site sent, then ask who it is.
        { provide: APP_GUARD, useClass: RateLimitGuard },
        { provide: APP_GUARD, useClass: CrossSiteGuard },
        { provide: APP_GUARD, useExisting: AuthGuard },
        {
          provide: APP_PIPE,
          useValue: new StandardSchemaValidationPipe({ exceptionFactory: validationProblem }),
        },
        {
          provide: Readiness,
          useFactory: (keys: SigningKeys): Readiness => ({ hasKeys: () => keys.isReady }),
          inject: [SigningKeys],
        },
      ],
    };
  }
}

/** The configuration's namespaces, the logger and the table of routes, for every module. */
@Module({})
class SettingsModule {
  static forRoot(config: Config, logger: Logger, routes: RouteTable): DynamicModule {
    const providers = [
      { provide: APP_CONFIG, useValue: config.app },
      { provide: AUTH_CONFIG, useValue: config.auth },
      { provide: PASSWORD_CONFIG, useValue: config.password },
      { provide: MAIL_CONFIG, useValue: config.mail },
      { provide: AUDIT_CONFIG, useValue: config.audit },
      { provide: LOGGER, useValue: logger },
      { provide: RouteTable, useValue: routes },
    ];
    return { module: SettingsModule, global: true, providers, exports: providers };
  }
}
