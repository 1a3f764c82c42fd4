import { Body, Controller, Delete, Get, HttpCode, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { RequiresStepUp } from '../../http/access.decorators.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { Problem } from '../../problems/problem.js';
import { RateLimited } from '../../throttle/rate-limit.guard.js';
import { weakPassword } from '../../users/passwords/weak-password.problem.js';
import { deadCredential, Presented, requireLive } from '../auth.guard.js';
import { CredentialReply } from '../credential-reply.js';
import { NEW_COOKIE } from '../step-up/step-up.controller.js';
import type { Authentication } from '../strategies/authenticator.js';
import { AccountDeletion } from './account-deletion.service.js';
import { AccountExport } from './account-export.service.js';
import {
  type AccountExportReply,
  exportSchema,
  type PasswordChangeBody,
  passwordChangeSchema,
} from './account.dto.js';
import { PasswordChange } from './password-change.service.js';

/** What people do to their own account. Whose it is, the credential says and nothing else. */
@ApiGroup('Accounts')
@Controller()
export class AccountController {
  constructor(
    private readonly passwords: PasswordChange,
    private readonly deletion: AccountDeletion,
    private readonly exports: AccountExport,
    private readonly credentials: CredentialReply,
  ) {}

  @Post('password')
  @HttpCode(204)
  @RateLimited('login')
  @ApiRoute({
    summary: 'Change my password',
    operationId: 'changePassword',
    description:
      'Needs the current password, or a fresh proof of who you are; the latter in any case where there is a second ' +
      'factor. All other sessions end with it; this one goes on, with another value of its cookie where it has one. It ' +
      'also sets the first password of an account without.',
  })
  @ApiReply(204, null, 'The password is changed', { headers: { 'Set-Cookie': NEW_COOKIE } })
  @ApiProblems(
    'validation_failed',
    'weak_password',
    'current_password_wrong',
    'step_up_required',
    'breach_check_unavailable',
    'overloaded',
  )
  async changePassword(
    @Body({ schema: passwordChangeSchema }) body: PasswordChangeBody,
    @Presented() presented: Authentication,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const outcome = await this.passwords.change(presented, requireLive(presented), body, client);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
    if (outcome.status === 'step_up_required') throw new Problem('step_up_required');
    if (outcome.status === 'weak_password') throw weakPassword('new_password', outcome.weak);
    if (outcome.status === 'wrong') {
      const errors = [{ path: 'current_password', message: 'is wrong' }];
      throw new Problem('current_password_wrong', { members: { errors } });
    }
    this.credentials.write(reply, outcome.signedIn);
  }

  @Delete('users/me')
  @HttpCode(204)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Delete my account',
    operationId: 'deleteAccount',
    description: 'At once and for good, with all sessions. The address can be used for another account.',
    cookies: 'clear',
  })
  @ApiReply(204, null, 'There is no such account any more')
  @ApiProblems('last_admin')
  async delete(
    @Presented() presented: Authentication,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const outcome = await this.deletion.delete(presented, requireLive(presented), client);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
    if (outcome.status === 'last_admin') throw new Problem('last_admin');
    this.credentials.clearAll(reply);
  }

  @Get('users/me/export')
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Export my data',
    operationId: 'exportAccount',
    description: 'All that is stored about the caller, but for secrets.',
  })
  @ApiReply(200, exportSchema, 'The account and all that belongs to it', {
    headers: { 'Content-Disposition': 'A name for the file.' },
  })
  async export(
    @Presented() presented: Authentication,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccountExportReply> {
    const data = await this.exports.export(requireLive(presented), client);
    if (!data) throw new Problem('credential_revoked');
    reply.header('content-disposition', 'attachment; filename="account.json"');
    return {
      exported_at: data.exportedAt.toISOString(),
      account: data.account,
      ...data.sections,
    } as AccountExportReply;
  }
}
