import { Module } from '@nestjs/common';
import { CredentialsModule } from '../../credentials/credentials.module.js';
import { SessionsModule } from '../../sessions/sessions.module.js';
import { SessionStrategy } from './session.strategy.js';

/** Opaque session cookies. */
@Module({
  imports: [SessionsModule, CredentialsModule],
  providers: [SessionStrategy],
  exports: [SessionStrategy],
})
export class SessionStrategyModule {
  static readonly strategy = SessionStrategy;
}
