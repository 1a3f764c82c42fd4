import { Body, Controller, Get, Param, Patch, Query } from '@nestjs/common';
import { validate as isUuid } from 'uuid';
import { Audit } from '../../audit/audit.service.js';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { RequiresRole, RequiresStepUp } from '../../http/access.decorators.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../../http/current-user.decorator.js';
import { Problem } from '../../problems/problem.js';
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

/** Accounts of others, for administrators. */
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
  @ApiRoute({ summary: 'Find accounts', operationId: 'adminUsers' })
  @ApiReply(200, usersReplySchema, 'A page of accounts, in the order in which they were made')
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
  @ApiRoute({ summary: 'Look at an account', operationId: 'adminUser' })
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
    operationId: 'changeAdminUser',
    description: 'Its role, whether it is disabled, and whether its password counts as known to others.',
  })
  @ApiReply(200, inspectedUserSchema, 'The account as it is now')
  @ApiProblems('validation_failed', 'not_found', 'last_admin')
  async change(
    @Param({ schema: userParamsSchema }) { id }: UserParams,
    @Body({ schema: userChangeSchema }) body: UserChangeBody,
    @CurrentUser() { userId }: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<InspectedUserView> {
    if (!isUuid(id)) throw new Problem('not_found');
    const { role, disabled, password_compromised: isCompromised } = body;
    const change = {
      ...(role && { role }),
      ...(disabled !== undefined && { state: disabled ? ('disabled' as const) : ('enabled' as const) }),
      ...(isCompromised && { password: 'compromised' as const }),
    };
    const outcome = await this.administration.change(id, change, { actor: `admin:${userId}`, client });
    if (outcome.status !== 'changed') throw new Problem(outcome.status);
    return inspectedView(outcome.user);
  }
}
