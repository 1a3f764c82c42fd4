import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import type { AppConfig } from '../../config/app.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import { Cookies } from '../http/cookies.js';
import { UsersModule } from '../users/users.module.js';
import { AuthController } from './auth.controller.js';
import { AuthGuard } from './auth.guard.js';
import { AuthService } from './auth.service.js';
import { CredentialReply } from './credential-reply.js';
import { JwksController } from './keys/jwks.controller.js';
import { SigningKeys } from './keys/signing-keys.service.js';
import { DevicesService } from './sessions/devices.service.js';
import { SessionActivity } from './sessions/session-activity.service.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { SessionsService } from './sessions/sessions.service.js';
import { Authenticator } from './strategies/authenticator.js';
import { AccessTokens } from './strategies/jwt/access-tokens.service.js';
import { RefreshStrategy } from './strategies/jwt/refresh.strategy.js';
import { RefreshTokens } from './strategies/jwt/refresh-tokens.service.js';
import { LocalStrategy } from './strategies/local.strategy.js';
import type { AuthStrategy } from './strategies/auth.strategy.js';
import { STRATEGIES, StrategyTable } from './strategies/strategy.table.js';

/** Signing in and out: strategies, sessions and keys. */
@Module({
  imports: [UsersModule, JwtModule.register({})],
  controllers: [AuthController, SessionsController, JwksController],
  providers: [
    { provide: Cookies, useFactory: (app: AppConfig) => new Cookies(app.PUBLIC_URL), inject: [APP_CONFIG] },
    AuthService,
    AuthGuard,
    CredentialReply,
    SessionsService,
    DevicesService,
    SessionActivity,
    SigningKeys,
    Authenticator,
    {
      provide: StrategyTable,
      useFactory: (config: AuthConfig, ...strategies: AuthStrategy[]) =>
        new StrategyTable(config, strategies),
      inject: [AUTH_CONFIG, ...STRATEGIES],
    },
    ...STRATEGIES,
    LocalStrategy,
    RefreshStrategy,
    AccessTokens,
    RefreshTokens,
  ],
  exports: [AuthGuard, Authenticator, SessionActivity, SigningKeys],
})
export class AuthModule {}
