import { Controller, Delete, Get, HttpCode, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../platform/http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../platform/http/current-user.decorator.js';
import { Problem } from '../platform/problems/problem.js';
import { Acting, deadCredential } from '../auth/credentials/auth.guard.js';
import type { LiveAuthentication } from '../auth/credentials/authenticator.js';
import { CredentialReply } from '../auth/credentials/credential-reply.js';
import { deviceView } from './device-view.js';
import { DevicesService } from './devices.service.js';
import {
  type SessionParams,
  sessionParamsSchema,
  type SessionsReply,
  sessionsReplySchema,
} from './sessions.dto.js';

/** The caller's sessions: list and sign out. */
@ApiGroup('Devices')
@Controller('sessions')
export class SessionsController {
  constructor(
    private readonly devices: DevicesService,
    private readonly credentials: CredentialReply,
  ) {}

  @Get()
  @ApiRoute({ summary: 'Where I am signed in', operationId: 'listSessions' })
  @ApiReply(200, sessionsReplySchema, 'The live sessions of the caller, newest first')
  async list(@CurrentUser() { userId, sessionId }: CurrentUserInfo): Promise<SessionsReply> {
    const devices = await this.devices.list(userId);
    return { sessions: devices.map((device) => deviceView(device, sessionId)) };
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiRoute({ summary: 'Sign out there', operationId: 'endSession' })
  @ApiReply(204, null, 'That session has ended')
  @ApiProblems('not_found')
  async end(
    @Param({ schema: sessionParamsSchema }) { id }: SessionParams,
    @Acting() caller: LiveAuthentication,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const outcome = await this.devices.end(caller, id, client);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
    if (outcome.status === 'not_found') throw new Problem('not_found');
    if (id === caller.live.sessionId) this.credentials.clearAll(reply);
  }
}
