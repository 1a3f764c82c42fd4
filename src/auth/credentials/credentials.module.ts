import { Module } from '@nestjs/common';
import type { AppConfig } from '../../../config/app.config.js';
import { APP_CONFIG } from '../../../config/tokens.config.js';
import { Cookies } from '../../platform/http/cookies.js';
import { AssuranceModule } from '../assurance/assurance.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { ActorLock } from './actor-lock.service.js';
import { AuthGuard } from './auth.guard.js';
import { Authenticator } from './authenticator.js';
import { CredentialReply } from './credential-reply.js';
import { ExchangeCompletion } from './exchange/exchange-completion.service.js';
import { ExchangeController } from './exchange/exchange.controller.js';
import { ExchangeService } from './exchange/exchange.service.js';
import { PresentedSessions } from './presented-sessions.service.js';
import { StepUpGuard } from './step-up.guard.js';
import { StrategyRegistry } from './strategy-registry.service.js';

const SERVICES = [
  AuthGuard,
  StepUpGuard,
  Authenticator,
  StrategyRegistry,
  PresentedSessions,
  ActorLock,
  CredentialReply,
];

/** Reading, checking, writing and exchanging credentials, for all strategies. */
@Module({
  imports: [SessionsModule, AssuranceModule],
  controllers: [ExchangeController],
  providers: [
    {
      provide: Cookies,
      useFactory: ({ PUBLIC_URL, COOKIE_PREFIX }: AppConfig) => new Cookies(PUBLIC_URL, COOKIE_PREFIX),
      inject: [APP_CONFIG],
    },
    ...SERVICES,
    ExchangeService,
    ExchangeCompletion,
  ],
  exports: [Cookies, ...SERVICES],
})
export class CredentialsModule {}
