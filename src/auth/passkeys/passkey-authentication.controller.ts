import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { Public } from '../../http/public.decorator.js';
import { Problem } from '../../problems/problem.js';
import { RateLimited } from '../../throttle/rate-limit.guard.js';
import { type LoginReply, loginReplySchema } from '../auth.dto.js';
import { Presented, requireLive } from '../auth.guard.js';
import { CredentialReply } from '../credential-reply.js';
import type { Authentication } from '../strategies/authenticator.js';
import { PasskeySignIn } from './passkey-sign-in.service.js';
import {
  type AssertionOptionsBody,
  assertionOptionsSchema,
  type PasskeySignInBody,
  passkeySignInSchema,
  type RequestOptions,
  requestOptionsSchema,
} from './passkeys.dto.js';

/** Signing in with a passkey. */
@ApiGroup('Passkeys')
@Controller('passkeys/authentication')
export class PasskeyAuthenticationController {
  constructor(
    private readonly signIns: PasskeySignIn,
    private readonly credentials: CredentialReply,
  ) {}

  @Post('options')
  @HttpCode(200)
  @Public('read')
  @ApiRoute({
    summary: 'Begin to use a passkey',
    operationId: 'beginPasskeySignIn',
    description:
      'The body of the answer is what `PublicKeyCredential.parseRequestOptionsFromJSON()` takes for ' +
      '`navigator.credentials.get()`. Without a body it is for a sign-in, and says nothing of anybody; the answer goes to ' +
      '`POST /passkeys/authentication/verify`. With an `mfa_token` it goes to `POST /mfa`, and for a re-authentication to ' +
      '`POST /reauthenticate`.',
  })
  @ApiReply(200, requestOptionsSchema, 'Options for one use')
  @ApiProblems(
    'validation_failed',
    'conflicting_credentials',
    'authentication_required',
    'credential_invalid',
    'credential_expired',
    'credential_revoked',
    'mfa_token_invalid',
  )
  async begin(
    @Body({ schema: assertionOptionsSchema }) body: AssertionOptionsBody,
    @Presented() presented: Authentication,
  ): Promise<RequestOptions> {
    const { mfa_token: mfaToken, purpose } = body ?? {};
    const options =
      purpose === 'reauthentication'
        ? await this.signIns.beginReauthentication(requireLive(presented))
        : await this.signIns.begin(mfaToken ?? null);
    if (!options) throw new Problem('mfa_token_invalid');
    return options as RequestOptions;
  }

  @Post('verify')
  @HttpCode(200)
  @Public('read')
  @RateLimited('login')
  @ApiRoute({
    summary: 'Sign in with a passkey',
    operationId: 'passkeySignIn',
    description:
      'Needs no name and no password, and no second factor: the authenticator verified its user. A live credential sent ' +
      'along is replaced: its session ends.',
    credentials: 'none',
    cookies: 'set',
  })
  @ApiReply(200, loginReplySchema, 'Signed in')
  @ApiProblems('validation_failed', 'conflicting_credentials', 'passkey_refused')
  async signIn(
    @Body({ schema: passkeySignInSchema }) { credential, transport = 'bearer' }: PasskeySignInBody,
    @Presented() presented: Authentication,
    @FromClient() client: Client,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LoginReply> {
    if (presented.hasConflict) throw new Problem('conflicting_credentials');
    const brought = { authentication: presented, refreshTokens: this.credentials.refreshTokens(request) };
    const signedIn = await this.signIns.signIn(credential, { transport, brought, client });
    if (!signedIn) throw new Problem('passkey_refused');
    this.credentials.replace(request, reply, signedIn);
    return this.credentials.body(signedIn);
  }
}
