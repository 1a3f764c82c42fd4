import { Controller, Delete, Get, HttpCode, Param } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { RequiresRole, RequiresStepUp } from '../../http/access.decorators.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../../http/current-user.decorator.js';
import { Problem } from '../../problems/problem.js';
import { deviceView } from '../sessions/device-view.js';
import { type SessionsReply, sessionsReplySchema } from '../sessions/sessions.dto.js';
import { SessionAdministration } from './session-administration.service.js';
import {
  endedReplySchema,
  type UserParams,
  userParamsSchema,
  type UserSessionParams,
  userSessionParamsSchema,
} from './admin.dto.js';

/** Sessions of others, for administrators. */
@ApiGroup('Administration')
@Controller('admin/users/:id/sessions')
@RequiresRole('admin')
@RequiresStepUp()
export class AdminSessionsController {
  constructor(private readonly sessions: SessionAdministration) {}

  @Get()
  @ApiRoute({ summary: 'Where an account is signed in', operationId: 'adminUserSessions' })
  @ApiReply(200, sessionsReplySchema, 'The live sessions of the account, the newest first')
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
  @ApiRoute({ summary: 'Sign an account out everywhere', operationId: 'endAdminUserSessions' })
  @ApiReply(200, endedReplySchema, 'All its sessions have ended')
  @ApiProblems('not_found')
  async endAll(
    @Param({ schema: userParamsSchema }) { id }: UserParams,
    @CurrentUser() { userId }: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<{ ended: number }> {
    const ended = await this.sessions.endAll(id, { actor: `admin:${userId}`, client });
    if (ended === null) throw new Problem('not_found');
    return { ended };
  }

  @Delete(':session_id')
  @HttpCode(204)
  @ApiRoute({ summary: 'End one session of an account', operationId: 'endAdminUserSession' })
  @ApiReply(204, null, 'That session has ended')
  @ApiProblems('not_found')
  async end(
    @Param({ schema: userSessionParamsSchema }) params: UserSessionParams,
    @CurrentUser() { userId }: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<void> {
    const isEnded = await this.sessions.end(params.id, params.session_id, {
      actor: `admin:${userId}`,
      client,
    });
    if (!isEnded) throw new Problem('not_found');
  }
}
