import { Body, Controller, Get, Param, Patch, Query } from '@nestjs/common';
import { validate as isUuid } from 'uuid';
import { Audit } from '../audit/audit.service.js';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { RequiresRole, RequiresStepUp } from '../platform/http/access.decorators.js';
import { type Client, FromClient } from '../platform/http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../platform/http/current-user.decorator.js';
import { Problem } from '../platform/problems/problem.js';
import { Acting, deadCredential } from '../auth/credentials/auth.guard.js';
import type { LiveAuthentication } from '../auth/credentials/authenticator.js';
import {
  inspectedUserSchema,
  type InspectedUserView,
  type UserChangeBody,
  userChangeSchema,
  type UserParams,
  userParamsSchema,
  type UsersQuery,
  usersQuerySchema,
  type UsersReply,
  usersReplySchema,
} from './admin.dto.js';
import { inspectedView, userView } from './user-view.js';
import { UserAdministrationService } from './user-administration.service.js';

const PAGE = 20;

/** Accounts of other users, for administrators. */
@ApiGroup('Administration')
@Controller('admin/users')
@RequiresRole('admin')
@RequiresStepUp()
export class AdminUsersController {
  constructor(
    private readonly administration: UserAdministrationService,
    private readonly audit: Audit,
  ) {}

  @Get()
  @ApiRoute({ summary: 'Find accounts', operationId: 'listUsers' })
  @ApiReply(200, usersReplySchema, 'A page of accounts, in order of creation')
  @ApiProblems('validation_failed')
  async list(@Query({ schema: usersQuerySchema }) query: UsersQuery): Promise<UsersReply> {
    const { email_prefix: emailPrefix, role, state, limit = PAGE, cursor } = query;
    const users = await this.administration.list({
      ...(emailPrefix !== undefined && { emailPrefix }),
      ...(role && { role }),
      ...(state && { state }),
      ...(cursor !== undefined && { after: cursor }),
      limit: limit + 1,
    });
    const page = users.slice(0, limit);
    return {
      users: page.map(userView),
      next_cursor: users.length > limit ? (page.at(-1)?.id ?? null) : null,
    };
  }

  @Get(':id')
  @ApiRoute({ summary: 'Show an account', operationId: 'getUser' })
  @ApiReply(200, inspectedUserSchema, 'The account, without secrets')
  @ApiProblems('not_found')
  async show(
    @Param({ schema: userParamsSchema }) { id }: UserParams,
    @CurrentUser() { userId }: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<InspectedUserView> {
    const user = isUuid(id) ? await this.administration.find(id) : null;
    if (!user) throw new Problem('not_found');
    await this.audit.record({ kind: 'admin_viewed', userId: id, actor: `admin:${userId}`, client });
    return inspectedView(user);
  }

  @Patch(':id')
  @ApiRoute({
    summary: 'Change an account',
    operationId: 'changeUser',
    description: 'Its role, whether it is disabled, and whether its password is marked as compromised.',
  })
  @ApiReply(200, inspectedUserSchema, 'The changed account')
  @ApiProblems('validation_failed', 'not_found', 'last_admin')
  async change(
    @Param({ schema: userParamsSchema }) { id }: UserParams,
    @Body({ schema: userChangeSchema }) body: UserChangeBody,
    @Acting() caller: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<InspectedUserView> {
    if (!isUuid(id)) throw new Problem('not_found');
    const { role, disabled, password_compromised: isCompromised } = body;
    const change = {
      ...(role && { role }),
      ...(disabled !== undefined && { state: disabled ? ('disabled' as const) : ('enabled' as const) }),
      ...(isCompromised && { password: 'compromised' as const }),
    };
    const outcome = await this.administration.changeBy({ caller, client }, id, change);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
    if (outcome.status !== 'changed') throw new Problem(outcome.status);
    return inspectedView(outcome.user);
  }
}
