import { Controller, Delete, Get, HttpCode, Param } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { RequiresRole, RequiresStepUp } from '../platform/http/access.decorators.js';
import { type Client, FromClient } from '../platform/http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../platform/http/current-user.decorator.js';
import { Problem } from '../platform/problems/problem.js';
import { Acting, deadCredential } from '../auth/credentials/auth.guard.js';
import type { LiveAuthentication } from '../auth/credentials/authenticator.js';
import { deviceView } from '../account/device-view.js';
import { type SessionsReply, sessionsReplySchema } from '../account/sessions.dto.js';
import { SessionAdministration } from './session-administration.service.js';
import {
  endedReplySchema,
  type UserParams,
  userParamsSchema,
  type UserSessionParams,
  userSessionParamsSchema,
} from './admin.dto.js';

/** Sessions of other users, for administrators. */
@ApiGroup('Administration')
@Controller('admin/users/:id/sessions')
@RequiresRole('admin')
@RequiresStepUp()
export class AdminSessionsController {
  constructor(private readonly sessions: SessionAdministration) {}

  @Get()
  @ApiRoute({ summary: 'Where an account is signed in', operationId: 'listUserSessions' })
  @ApiReply(200, sessionsReplySchema, 'The live sessions of the account, newest first')
  @ApiProblems('not_found')
  async list(
    @Param({ schema: userParamsSchema }) { id }: UserParams,
    @CurrentUser() { sessionId }: CurrentUserInfo,
  ): Promise<SessionsReply> {
    const sessions = await this.sessions.list(id);
    if (!sessions) throw new Problem('not_found');
    return { sessions: sessions.map((session) => deviceView(session, sessionId)) };
  }

  @Delete()
  @ApiRoute({ summary: 'Sign an account out everywhere', operationId: 'endUserSessions' })
  @ApiReply(200, endedReplySchema, 'All its sessions have ended')
  @ApiProblems('not_found')
  async endAll(
    @Param({ schema: userParamsSchema }) { id }: UserParams,
    @Acting() caller: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<{ ended: number }> {
    const outcome = await this.sessions.endAll(id, { caller, client });
    if (outcome.status === 'not_found') throw new Problem('not_found');
    if (outcome.status !== 'done') throw deadCredential(outcome.dead);
    return { ended: outcome.sessions };
  }

  @Delete(':session_id')
  @HttpCode(204)
  @ApiRoute({ summary: 'End one session of an account', operationId: 'endUserSession' })
  @ApiReply(204, null, 'That session has ended')
  @ApiProblems('not_found')
  async end(
    @Param({ schema: userSessionParamsSchema }) params: UserSessionParams,
    @Acting() caller: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<void> {
    const outcome = await this.sessions.end(params.id, params.session_id, { caller, client });
    if (outcome.status === 'not_found') throw new Problem('not_found');
    if (outcome.status !== 'done') throw deadCredential(outcome.dead);
  }
}
