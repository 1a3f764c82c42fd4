import { Body, Controller, Delete, Get, HttpCode, Patch, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../platform/docs/api-reply.decorator.js';
import { RequiresStepUp } from '../platform/http/access.decorators.js';
import { type Client, FromClient } from '../platform/http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../platform/http/current-user.decorator.js';
import { Problem } from '../platform/problems/problem.js';
import { RateLimited } from '../platform/throttle/rate-limit.guard.js';
import type { ProblemTexts } from '../texts/en.js';
import { accountView } from '../users/account-view.js';
import { type AccountReply, accountSchema, type ProfileBody, profileSchema } from '../users/users.dto.js';
import { UsersService } from '../users/users.service.js';
import { weakPassword } from '../users/passwords/weak-password.problem.js';
import { Acting, deadCredential } from '../auth/credentials/auth.guard.js';
import { CredentialReply } from '../auth/credentials/credential-reply.js';
import { NEW_COOKIE } from '../auth/sign-in/step-up/step-up.controller.js';
import type { LiveAuthentication } from '../auth/credentials/authenticator.js';
import { AccountDeletion } from './account-deletion.service.js';
import { AccountExport } from './account-export.service.js';
import {
  type AccountExportReply,
  exportSchema,
  type PasswordChangeBody,
  passwordChangeSchema,
  type SignInMethodsReply,
  signInMethodsSchema,
} from './account.dto.js';
import { PasswordChange } from './password-change.service.js';
import { SignInMethods } from './sign-in-methods.service.js';
import { ProfileChange } from './profile-change.service.js';

/** Actions on the caller's own account. Only the credential determines which account that is. */
@ApiGroup('Accounts')
@Controller()
export class AccountController {
  constructor(
    private readonly users: UsersService,
    private readonly profile: ProfileChange,
    private readonly passwords: PasswordChange,
    private readonly deletion: AccountDeletion,
    private readonly exports: AccountExport,
    private readonly methods: SignInMethods,
    private readonly credentials: CredentialReply,
  ) {}

  @Patch('users/me')
  @ApiRoute({
    summary: 'Change my profile',
    operationId: 'changeProfile',
    description:
      'The name and the language of mails, and nothing that opens the account: password and e-mail address have their own calls, which ask for more.',
  })
  @ApiReply(200, accountSchema, 'The account as it is now')
  @ApiProblems('validation_failed')
  async changeProfile(
    @Body({ schema: profileSchema }) profile: ProfileBody,
    @Acting() caller: LiveAuthentication,
    @FromClient() client: Client,
  ): Promise<AccountReply> {
    const ended = await this.profile.change(caller, profile, client);
    if (ended) throw deadCredential(ended.dead);
    const user = await this.users.find(caller.live.userId);
    if (!user) throw new Problem('credential_revoked');
    return accountView(user);
  }

  @Get('users/me/sign-in-methods')
  @ApiRoute({ summary: 'How I can sign in', operationId: 'getSignInMethods' })
  @ApiReply(200, signInMethodsSchema, 'The sign-in methods of the caller, and what is left of them')
  async signInMethods(@CurrentUser() { userId }: CurrentUserInfo): Promise<SignInMethodsReply> {
    const methods = await this.methods.of(userId);
    if (!methods) throw new Problem('credential_revoked');
    return methods;
  }

  @Post('password')
  @HttpCode(204)
  @RateLimited('login')
  @ApiRoute({
    summary: 'Change my password',
    operationId: 'changePassword',
    description:
      'Requires the current password or a recent re-authentication; with a second factor, always the latter. ' +
      'All other sessions end. This session stays; a session cookie gets a new value. It ' +
      'also sets the first password of an account without one.',
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
    @Acting() actor: LiveAuthentication,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const outcome = await this.passwords.change(actor, body, client);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
    if (outcome.status === 'step_up_required') throw new Problem('step_up_required');
    if (outcome.status === 'weak_password') throw weakPassword('new_password', outcome.weak);
    if (outcome.status === 'wrong') {
      const errors = [{ path: 'current_password', message: (texts: ProblemTexts) => texts.wrong }];
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
    description: 'Immediate and permanent; all sessions end. The address can be used for a new account.',
    cookies: 'clear',
  })
  @ApiReply(204, null, 'The account was deleted')
  @ApiProblems('last_admin')
  async delete(
    @Acting() actor: LiveAuthentication,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<void> {
    const outcome = await this.deletion.delete(actor, client);
    if (outcome.status === 'ended') throw deadCredential(outcome.dead);
    if (outcome.status === 'last_admin') throw new Problem('last_admin');
    this.credentials.clearAll(reply);
  }

  @Get('users/me/export')
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Export my data',
    operationId: 'exportAccount',
    description: 'All data stored about the caller, except secrets.',
  })
  @ApiReply(200, exportSchema, 'The account and all its data', {
    headers: { 'Content-Disposition': 'A file name.' },
  })
  async export(
    @Acting() { live }: LiveAuthentication,
    @FromClient() client: Client,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<AccountExportReply> {
    const data = await this.exports.export(live, client);
    if (!data) throw new Problem('credential_revoked');
    reply.header('content-disposition', 'attachment; filename="account.json"');
    return {
      exported_at: data.exportedAt.toISOString(),
      account: data.account,
      ...data.sections,
    } as AccountExportReply;
  }
}
