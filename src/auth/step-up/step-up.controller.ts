import { Body, Controller, HttpCode, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { Problem } from '../../problems/problem.js';
import { RateLimited } from '../../throttle/rate-limit.guard.js';
import { deadCredential, Presented, requireLive } from '../auth.guard.js';
import { CredentialReply } from '../credential-reply.js';
import type { Authentication } from '../strategies/authenticator.js';
import { type ReauthenticateBody, reauthenticateSchema } from './step-up.dto.js';
import { StepUp } from './step-up.service.js';

/** What a reply says of `Set-Cookie` where a session goes on with another secret. */
export const NEW_COOKIE =
  'Where the session has a cookie of its own: the new value, in place of the one that was sent.';

/** Proving again who one is, for what is sensitive. */
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
    summary: 'Prove again who I am',
    operationId: 'reauthenticate',
    description:
      'For STEP_UP_TTL from now on the session may do what answers `step_up_required` otherwise. Whoever has a second ' +
      'factor sends it along with the password. The session stays the same one. A session cookie gets another value, ' +
      'and the old one is dead; tokens stay as they are.',
  })
  @ApiReply(204, null, 'The session is fresh', { headers: { 'Set-Cookie': NEW_COOKIE } })
  @ApiProblems('validation_failed', 'reauthentication_failed', 'factor_required', 'overloaded')
  async reauthenticate(
    @Body({ schema: reauthenticateSchema }) body: ReauthenticateBody,
    @Presented() presented: Authentication,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const outcome = await this.stepUp.reauthenticate(presented, requireLive(presented), body, client);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
    if (outcome.status === 'factor_required')
      throw new Problem('factor_required', { members: { factors: outcome.factors } });
    if (outcome.status === 'refused')
      throw new Problem(
        'reauthentication_failed',
        outcome.reason === 'compromised'
          ? {
              detail:
                'The password counts as known to others. Change it first, by POST /password or POST /password/forgot.',
            }
          : {},
      );
    this.credentials.write(reply, outcome.signedIn);
  }
}
