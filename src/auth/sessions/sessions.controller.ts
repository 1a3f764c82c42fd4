import { Controller, Delete, Get, HttpCode, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../../http/current-user.decorator.js';
import { Problem } from '../../problems/problem.js';
import { CredentialReply } from '../credential-reply.js';
import { deviceView } from './device-view.js';
import { DevicesService } from './devices.service.js';
import {
  type SessionParams,
  sessionParamsSchema,
  type SessionsReply,
  sessionsReplySchema,
} from './sessions.dto.js';

/** Where one is signed in, and ending it there. */
@ApiGroup('Devices')
@Controller('sessions')
export class SessionsController {
  constructor(
    private readonly devices: DevicesService,
    private readonly credentials: CredentialReply,
  ) {}

  @Get()
  @ApiRoute({ summary: 'Where I am signed in', operationId: 'sessions' })
  @ApiReply(200, sessionsReplySchema, 'The live sessions of the caller, the newest first')
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
    @CurrentUser() { userId, sessionId }: CurrentUserInfo,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    if (!(await this.devices.end(userId, id, client))) throw new Problem('not_found');
    if (id === sessionId) this.credentials.clearAll(reply);
  }
}
