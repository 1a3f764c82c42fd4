import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../../platform/http/client.decorator.js';
import { Problem } from '../../../platform/problems/problem.js';
import { RateLimited } from '../../../platform/throttle/rate-limit.guard.js';
import { Acting, deadCredential } from '../../credentials/auth.guard.js';
import { CredentialReply } from '../../credentials/credential-reply.js';
import type { LiveAuthentication } from '../../credentials/authenticator.js';
import { presentedProofs, type ReauthenticateBody, reauthenticateSchema } from './step-up.dto.js';
import { StepUp } from './step-up.service.js';

/** The description of `Set-Cookie` for a session that stays with another secret. */
export const NEW_COOKIE = 'For a session cookie: its new value.';

/** Re-authentication for sensitive calls. */
@ApiGroup('Sign-in')
@Controller()
export class StepUpController {
  constructor(
    private readonly stepUp: StepUp,
    private readonly credentials: CredentialReply,
  ) {}

  @Post('reauthenticate')
  @HttpCode(204)
  @RateLimited('login')
  @ApiRoute({
    summary: 'Re-authenticate',
    operationId: 'reauthenticate',
    description:
      'For STEP_UP_TTL, the session passes the checks that otherwise answer `step_up_required`. A user with a second ' +
      'factor sends it with the password. The session stays the same. A session cookie gets a new value, ' +
      'and the old one becomes invalid; tokens do not change.',
  })
  @ApiReply(204, null, 'The session is fresh', { headers: { 'Set-Cookie': NEW_COOKIE } })
  @ApiProblems('validation_failed', 'reauthentication_failed', 'factor_required', 'overloaded')
  async reauthenticate(
    @Body({ schema: reauthenticateSchema }) body: ReauthenticateBody,
    @Acting() actor: LiveAuthentication,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const proofs = presentedProofs(body);
    const outcome = await this.stepUp.reauthenticate(actor, proofs, client);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
    if (outcome.status === 'factor_required')
      throw new Problem('factor_required', { members: { factors: outcome.factors } });
    if (outcome.status === 'refused')
      throw new Problem(
        'reauthentication_failed',
        outcome.reason === 'compromised' ? { detail: (texts) => texts.compromised } : {},
      );
    this.credentials.write(reply, outcome.signedIn);
  }
}
