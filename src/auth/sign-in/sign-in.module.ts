import { Module } from '@nestjs/common';
import { UsersModule } from '../../users/users.module.js';
import { AssuranceModule } from '../assurance/assurance.module.js';
import { ContainmentModule } from '../containment/containment.module.js';
import { CredentialsModule } from '../credentials/credentials.module.js';
import { FactorsModule } from '../factors/factors.module.js';
import { LockoutModule } from '../lockout/lockout.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { StrategiesModule } from '../strategies/strategies.module.js';
import { AuthController } from './auth.controller.js';
import { PasswordSignIn } from './password-sign-in.service.js';
import { MfaController } from './mfa.controller.js';
import { Mfa } from './mfa.service.js';
import { PasskeyAuthenticationController } from './passkey-authentication.controller.js';
import { PasskeySignIn } from './passkey-sign-in.service.js';
import { PasswordCheck } from './password-check.service.js';
import { SignInEvents } from './sign-in-events.service.js';
import { SignInMails } from './sign-in-mails.service.js';
import { SessionStart } from './session-start.service.js';
import { SignOut } from './sign-out.service.js';
import { PasskeyProof } from './proofs/passkey.proof.js';
import { PasswordProof } from './proofs/password.proof.js';
import { ProofTable } from './proofs/proof.table.js';
import { RecoveryCodeProof } from './proofs/recovery-code.proof.js';
import { TotpProof } from './proofs/totp.proof.js';
import { StepUpController } from './step-up/step-up.controller.js';
import { StepUp } from './step-up/step-up.service.js';

/** Sign-in and sign-out, with a password, a second factor or a passkey, and re-authentication. */
@Module({
  imports: [
    UsersModule,
    LockoutModule,
    SessionsModule,
    AssuranceModule,
    ContainmentModule,
    CredentialsModule,
    StrategiesModule,
    FactorsModule,
  ],
  controllers: [AuthController, MfaController, PasskeyAuthenticationController, StepUpController],
  providers: [
    PasswordSignIn,
    PasswordCheck,
    PasskeySignIn,
    Mfa,
    ProofTable,
    SessionStart,
    SignInEvents,
    SignInMails,
    SignOut,
    StepUp,
    PasswordProof,
    TotpProof,
    RecoveryCodeProof,
    PasskeyProof,
  ],
  exports: [PasswordProof],
})
export class SignInModule {}
