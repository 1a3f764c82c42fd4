import { Inject, Module } from '@nestjs/common';
import { UsersModule } from '../../users/users.module.js';
import type { AuthStrategy } from '../credentials/auth.strategy.js';
import { Authenticator } from '../credentials/authenticator.js';
import { CredentialsModule } from '../credentials/credentials.module.js';
import { StrategyRegistry } from '../credentials/strategy-registry.service.js';
import { SessionPurges } from '../sessions/session-purges.service.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { LocalStrategy } from './local.strategy.js';
import { STRATEGIES } from './strategy.table.js';

const INSTANCES = Symbol('the strategies of the table, in its order');

/** Registers all strategies of the table, and passwords, for the other rooms. Exports nothing. */
@Module({
  imports: [UsersModule, SessionsModule, CredentialsModule, ...STRATEGIES],
  providers: [
    LocalStrategy,
    {
      provide: INSTANCES,
      useFactory: (...strategies: AuthStrategy[]) => strategies,
      inject: STRATEGIES.map(({ strategy }) => strategy),
    },
  ],
})
export class StrategiesModule {
  constructor(
    registry: StrategyRegistry,
    authenticator: Authenticator,
    purges: SessionPurges,
    local: LocalStrategy,
    @Inject(INSTANCES) strategies: readonly AuthStrategy[],
  ) {
    registry.register(strategies);
    for (const strategy of [local, ...strategies]) authenticator.use(strategy);
    purges.add(...strategies.flatMap((strategy) => strategy.purge?.bind(strategy) ?? []));
  }
}
