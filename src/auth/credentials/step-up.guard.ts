import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Problem } from '../../platform/problems/problem.js';
import { StepUpCheck } from '../assurance/step-up-check.service.js';
import type { LiveSession } from '../sessions/session-state.js';
import { findAuthentication, requireLive } from './auth.guard.js';

/** Refuses sessions that need step-up, on routes with `@RequiresStepUp`. Runs after AuthGuard. */
@Injectable()
export class StepUpGuard implements CanActivate {
  constructor(private readonly stepUpCheck: StepUpCheck) {}

  /** Synchronous if no step-up is required: these routes must not wait for another promise. */
  canActivate(context: ExecutionContext): true | Promise<true> {
    const authentication = findAuthentication(context);
    if (!authentication?.requires.needsStepUp) return true;
    return this.check(requireLive(authentication));
  }

  private async check(session: LiveSession): Promise<true> {
    if (!(await this.stepUpCheck.isFresh(session))) throw new Problem('step_up_required');
    return true;
  }
}
