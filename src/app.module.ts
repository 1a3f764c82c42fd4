import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_PIPE } from '@nestjs/core';
import { StandardSchemaValidationPipe } from '@nestjs/common';
import type { Logger } from 'pino';
import type { Config } from '../config/load.config.js';
import {
  APP_CONFIG,
  AUDIT_CONFIG,
  AUTH_CONFIG,
  MAIL_CONFIG,
  PAGES_CONFIG,
  PASSWORD_CONFIG,
} from '../config/tokens.config.js';
import { AccountModule } from './account/account.module.js';
import { AdminModule } from './admin/admin.module.js';
import { AuthGuard } from './auth/credentials/auth.guard.js';
import { StepUpGuard } from './auth/credentials/step-up.guard.js';
import { AuthModule } from './auth/auth.module.js';
import { SigningKeys } from './auth/keys/signing-keys.service.js';
import { AuditModule } from './audit/audit.module.js';
import type { Database } from './platform/database/database.js';
import { DatabaseModule } from './platform/database/database.module.js';
import { ClusterModule } from './cluster/cluster.module.js';
import { NodeRegistration } from './cluster/node-registration.service.js';
import { HealthModule } from './health/health.module.js';
import type { MailDelivery, Readiness } from './health/readiness.js';
import { CrossSiteGuard } from './platform/http/cross-site.guard.js';
import type { Drain } from './platform/http/drain.js';
import { RouteTable } from './platform/http/route-table.js';
import { LOGGER } from './platform/logging/logger.js';
import { SecurityLog } from './platform/logging/security-log.service.js';
import { MailModule } from './mail/mail.module.js';
import { ProblemFilter } from './platform/http/problem.filter.js';
import { validationProblem } from './platform/problems/validation.js';
import { PurgeModule } from './platform/retention/purge.module.js';
import { RateLimitGuard } from './platform/throttle/rate-limit.guard.js';
import type { RateLimiter } from './platform/throttle/rate-limiter.js';
import { ThrottleModule } from './platform/throttle/throttle.module.js';
import { ServicesModule } from './services/services.module.js';
import { UsersModule } from './users/users.module.js';

/** The parts of the application that its caller opened. */
export interface AppParts {
  readonly config: Config;
  readonly database: Database;
  readonly logger: Logger;
  readonly routes: RouteTable;
  readonly limiter: RateLimiter;
  readonly drain: Drain;
}

/** The composition root: all modules, and the steps of every request in order. */
@Module({})
export class AppModule {
  static forRoot({ config, database, logger, routes, limiter, drain }: AppParts): DynamicModule {
    return {
      module: AppModule,
      imports: [
        SettingsModule.forRoot(config, logger, routes),
        DatabaseModule.forRoot(database),
        ThrottleModule.forRoot(config.throttle, limiter),
        PurgeModule,
        AuditModule,
        MailModule,
        UsersModule,
        AuthModule,
        AccountModule,
        AdminModule,
        ServicesModule,
        ClusterModule,
        HealthModule.forRoot({
          imports: [AuthModule, ClusterModule],
          inject: [SigningKeys, NodeRegistration],
          useFactory: (keys: SigningKeys, node: NodeRegistration): Readiness => ({
            hasKeys: () => keys.isReady,
            mailDelivery: () => deliveryOf(config),
            isStopping: () => drain.isUnderWay,
            canWrite: () => node.isRenewed,
          }),
        }),
      ],
      providers: [
        { provide: APP_FILTER, useClass: ProblemFilter },
        // In this order: cross-site requests, rate limit, authentication, step-up.
        { provide: APP_GUARD, useClass: CrossSiteGuard },
        { provide: APP_GUARD, useClass: RateLimitGuard },
        { provide: APP_GUARD, useExisting: AuthGuard },
        { provide: APP_GUARD, useExisting: StepUpGuard },
        {
          provide: APP_PIPE,
          useValue: new StandardSchemaValidationPipe({ exceptionFactory: validationProblem }),
        },
      ],
    };
  }
}

/** The configuration namespaces, the logger and the table of routes, for all modules. */
@Module({})
class SettingsModule {
  static forRoot(config: Config, logger: Logger, routes: RouteTable): DynamicModule {
    const providers = [
      { provide: APP_CONFIG, useValue: config.app },
      { provide: AUTH_CONFIG, useValue: config.auth },
      { provide: PASSWORD_CONFIG, useValue: config.password },
      { provide: MAIL_CONFIG, useValue: config.mail },
      { provide: AUDIT_CONFIG, useValue: config.audit },
      { provide: PAGES_CONFIG, useValue: config.pages },
      { provide: LOGGER, useValue: logger },
      SecurityLog,
      { provide: RouteTable, useValue: routes },
    ];
    return { module: SettingsModule, global: true, providers, exports: providers };
  }
}

/** @returns `off` if mails wait in the outbox and are shown nowhere. */
export function deliveryOf({ app, mail }: Pick<Config, 'app' | 'mail'>): MailDelivery {
  if (mail.SMTP_URL !== undefined) return 'smtp';
  return app.APP_ENV === 'production' ? 'off' : 'mailbox';
}
