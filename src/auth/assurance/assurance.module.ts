import { Module } from '@nestjs/common';
import { Purger } from '../../platform/retention/purger.service.js';
import { SessionsModule } from '../sessions/sessions.module.js';
import { MfaChallenges, expiredMfaChallenges } from './mfa-challenges.service.js';
import { StepUpCheck } from './step-up-check.service.js';
import { SecondFactors } from './second-factors.service.js';

/** Authentication assurance: existing second factors, the step-up check, and sign-ins that lack a second factor. */
@Module({
  imports: [SessionsModule],
  providers: [StepUpCheck, SecondFactors, MfaChallenges],
  exports: [StepUpCheck, SecondFactors, MfaChallenges],
})
export class AssuranceModule {
  constructor(purger: Purger) {
    purger.add(expiredMfaChallenges());
  }
}
