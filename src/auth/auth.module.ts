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
import { ServiceClientGuard } from './clients/service-client.guard.js';
import { ServiceClients } from './clients/service-clients.service.js';
import { CredentialReply } from './credential-reply.js';
import { TokensController } from './introspection/tokens.controller.js';
import { TokensService } from './introspection/tokens.service.js';
import { ForwardAuthController } from './forward-auth/forward-auth.controller.js';
import { ExchangeCompletion } from './exchange/exchange-completion.service.js';
import { ExchangeController } from './exchange/exchange.controller.js';
import { ExchangeService } from './exchange/exchange.service.js';
import { PendingExchanges } from './exchange/pending-exchanges.service.js';
import { JwksController } from './keys/jwks.controller.js';
import { KeyLifecycle } from './keys/key-lifecycle.service.js';
import { KeyRotation } from './keys/key-rotation.service.js';
import { SigningKeys } from './keys/signing-keys.service.js';
import { MetadataController } from './metadata/metadata.controller.js';
import { LiveCredentials } from './nodes/live-credentials.service.js';
import { NodeRegistration } from './nodes/node-registration.service.js';
import { Nodes } from './nodes/nodes.service.js';
import { RevocationDocuments } from './revocations/revocation-documents.service.js';
import { RevocationsController } from './revocations/revocations.controller.js';
import { DevicesService } from './sessions/devices.service.js';
import { RevocationFeed } from './sessions/revocation-feed.service.js';
import { SessionActivity } from './sessions/session-activity.service.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { SessionsService } from './sessions/sessions.service.js';
import { VerifiedCredentials } from './sessions/verified-credentials.service.js';
import { Authenticator } from './strategies/authenticator.js';
import { AccessTokens } from './strategies/jwt/access-tokens.service.js';
import { RefreshStrategy } from './strategies/jwt/refresh.strategy.js';
import { RefreshLineage } from './strategies/jwt/refresh-lineage.service.js';
import { RefreshTokens } from './strategies/jwt/refresh-tokens.service.js';
import { LocalStrategy } from './strategies/local.strategy.js';
import type { AuthStrategy } from './strategies/auth.strategy.js';
import { STRATEGIES, StrategyTable } from './strategies/strategy.table.js';

/** Signing in and out: strategies, sessions and keys. */
@Module({
  imports: [UsersModule, JwtModule.register({})],
  controllers: [
    AuthController,
    ExchangeController,
    SessionsController,
    JwksController,
    RevocationsController,
    TokensController,
    MetadataController,
    ForwardAuthController,
  ],
  providers: [
    { provide: Cookies, useFactory: (app: AppConfig) => new Cookies(app.PUBLIC_URL), inject: [APP_CONFIG] },
    AuthService,
    AuthGuard,
    CredentialReply,
    SessionsService,
    DevicesService,
    SessionActivity,
    RevocationFeed,
    VerifiedCredentials,
    RevocationDocuments,
    SigningKeys,
    KeyLifecycle,
    KeyRotation,
    Nodes,
    NodeRegistration,
    LiveCredentials,
    ExchangeService,
    ExchangeCompletion,
    PendingExchanges,
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
    RefreshLineage,
    ServiceClients,
    ServiceClientGuard,
    TokensService,
  ],
  exports: [AuthGuard, Authenticator, SessionActivity, SigningKeys],
})
export class AuthModule {}
