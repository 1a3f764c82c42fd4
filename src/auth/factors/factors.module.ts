import { Module } from '@nestjs/common';
import { Purger } from '../../platform/retention/purger.service.js';
import { AssuranceModule } from '../assurance/assurance.module.js';
import { ContainmentModule } from '../containment/containment.module.js';
import { CredentialsModule } from '../credentials/credentials.module.js';
import { LockoutModule } from '../lockout/lockout.module.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { FactorChanges } from './factor-changes.service.js';
import { PasskeyAssertions } from './passkeys/passkey-assertions.service.js';
import { PasskeyKeyChecks } from './passkeys/passkey-key-checks.service.js';
import { PasskeyRegistrations } from './passkeys/passkey-registrations.service.js';
import { PasskeysController } from './passkeys/passkeys.controller.js';
import { PasskeyManagement } from './passkeys/passkey-management.service.js';
import { PasskeyUses } from './passkeys/passkey-uses.service.js';
import { expiredWebauthnChallenges, WebauthnChallenges } from './passkeys/webauthn-challenges.service.js';
import { RecoveryCodesController } from './recovery-codes/recovery-codes.controller.js';
import { RecoveryCodes } from './recovery-codes/recovery-codes.service.js';
import { TotpEnrolment } from './totp/totp-enrolment.service.js';
import { TotpSeeds } from './totp/totp-seeds.service.js';
import { TotpController } from './totp/totp.controller.js';
import { Totp } from './totp/totp.service.js';

/** Passkeys, authenticator apps and recovery codes: enrolling, listing, removing and verifying them. */
@Module({
  imports: [LockoutModule, SessionsModule, AssuranceModule, ContainmentModule, CredentialsModule],
  controllers: [TotpController, RecoveryCodesController, PasskeysController],
  providers: [
    FactorChanges,
    Totp,
    TotpSeeds,
    TotpEnrolment,
    RecoveryCodes,
    PasskeyManagement,
    PasskeyRegistrations,
    PasskeyAssertions,
    PasskeyUses,
    PasskeyKeyChecks,
    WebauthnChallenges,
  ],
  exports: [Totp, RecoveryCodes, PasskeyAssertions],
})
export class FactorsModule {
  constructor(purger: Purger) {
    purger.add(expiredWebauthnChallenges());
  }
}
