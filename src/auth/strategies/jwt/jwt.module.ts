import { Module } from '@nestjs/common';
import { JwtModule } from '@nestjs/jwt';
import { ContainmentModule } from '../../containment/containment.module.js';
import { Authenticator } from '../../credentials/authenticator.js';
import { CredentialsModule } from '../../credentials/credentials.module.js';
import { KeysModule } from '../../keys/keys.module.js';
import { SessionsModule } from '../../sessions/sessions.module.js';
import { AccessTokens } from './access-tokens.service.js';
import { JwtStrategy } from './jwt.strategy.js';
import { RefreshLineage } from './refresh-lineage.service.js';
import { RefreshTokens } from './refresh-tokens.service.js';
import { RefreshController } from './refresh.controller.js';
import { RefreshService } from './refresh.service.js';
import { RefreshStrategy } from './refresh.strategy.js';
import { TokenPair } from './token-pair.service.js';

/** Signed access tokens, with refresh tokens and their endpoint. */
@Module({
  imports: [JwtModule.register({}), KeysModule, SessionsModule, ContainmentModule, CredentialsModule],
  controllers: [RefreshController],
  providers: [
    JwtStrategy,
    TokenPair,
    AccessTokens,
    RefreshTokens,
    RefreshLineage,
    RefreshStrategy,
    RefreshService,
  ],
  exports: [JwtStrategy],
})
export class JwtStrategyModule {
  static readonly strategy = JwtStrategy;

  constructor(authenticator: Authenticator, refresh: RefreshStrategy) {
    authenticator.use(refresh);
  }
}
