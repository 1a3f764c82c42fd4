import { Module } from '@nestjs/common';
import { AssuranceModule } from '../auth/assurance/assurance.module.js';
import { ContainmentModule } from '../auth/containment/containment.module.js';
import { CredentialsModule } from '../auth/credentials/credentials.module.js';
import { LockoutModule } from '../auth/lockout/lockout.module.js';
import { SessionsModule } from '../auth/sessions/sessions.module.js';
import { SignInModule } from '../auth/sign-in/sign-in.module.js';
import { UsersModule } from '../users/users.module.js';
import { AccountDeletion } from './account-deletion.service.js';
import { AccountExport } from './account-export.service.js';
import { AccountController } from './account.controller.js';
import { AccountClaims } from './mail-links/account-claims.service.js';
import { EmailChanges } from './mail-links/email-changes.service.js';
import { EmailProofs } from './mail-links/email-proofs.service.js';
import { EmailVerification } from './mail-links/email-verification.service.js';
import { PasswordRecovery } from './mail-links/password-recovery.service.js';
import { PasswordReset } from './mail-links/password-reset.service.js';
import { RecoveryController } from './mail-links/recovery.controller.js';
import { VerificationResend } from './mail-links/verification-resend.service.js';
import { VerificationController } from './mail-links/verification.controller.js';
import { DevicesService } from './devices.service.js';
import { PasswordChangeProof } from './password-change-proof.service.js';
import { PasswordChange } from './password-change.service.js';
import { ProfileChange } from './profile-change.service.js';
import { SignInMethods } from './sign-in-methods.service.js';
import { SessionsController } from './sessions.controller.js';

/** A user's own account: password, e-mail address, sessions, export and deletion. */
@Module({
  imports: [
    UsersModule,
    LockoutModule,
    SessionsModule,
    AssuranceModule,
    ContainmentModule,
    CredentialsModule,
    SignInModule,
  ],
  controllers: [AccountController, SessionsController, RecoveryController, VerificationController],
  providers: [
    PasswordChange,
    PasswordChangeProof,
    ProfileChange,
    SignInMethods,
    DevicesService,
    AccountDeletion,
    AccountExport,
    PasswordRecovery,
    PasswordReset,
    EmailVerification,
    VerificationResend,
    EmailChanges,
    EmailProofs,
    AccountClaims,
  ],
  exports: [DevicesService],
})
export class AccountModule {}
