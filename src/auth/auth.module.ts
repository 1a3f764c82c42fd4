import { Module } from '@nestjs/common';
import { AssuranceModule } from './assurance/assurance.module.js';
import { ContainmentModule } from './containment/containment.module.js';
import { CredentialsModule } from './credentials/credentials.module.js';
import { FactorsModule } from './factors/factors.module.js';
import { KeysModule } from './keys/keys.module.js';
import { LockoutModule } from './lockout/lockout.module.js';
import { RevocationModule } from './revocation/revocation.module.js';
import { SessionsModule } from './sessions/sessions.module.js';
import { SignInModule } from './sign-in/sign-in.module.js';
import { StrategiesModule } from './strategies/strategies.module.js';

const ROOMS = [
  RevocationModule,
  LockoutModule,
  KeysModule,
  SessionsModule,
  AssuranceModule,
  ContainmentModule,
  CredentialsModule,
  StrategiesModule,
  FactorsModule,
  SignInModule,
];

/** The rooms of authentication, from the bottom up. */
@Module({ imports: ROOMS, exports: ROOMS })
export class AuthModule {}
