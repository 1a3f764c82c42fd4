import { Body, Controller, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../platform/docs/api-reply.decorator.js';
import { type Client, FromClient } from '../../platform/http/client.decorator.js';
import { Public } from '../../platform/http/public.decorator.js';
import { Problem } from '../../platform/problems/problem.js';
import { RateLimited } from '../../platform/throttle/rate-limit.guard.js';
import { type LoginReply, loginReplySchema } from '../credentials/credential.dto.js';
import { deadCredential, Presented, requireLive } from '../credentials/auth.guard.js';
import { CredentialReply } from '../credentials/credential-reply.js';
import type { Authentication } from '../credentials/authenticator.js';
import { PasskeySignIn } from './passkey-sign-in.service.js';
import {
  type AssertionOptionsBody,
  assertionOptionsSchema,
  type PasskeySignInBody,
  passkeySignInSchema,
  type RequestOptions,
  requestOptionsSchema,
} from '../factors/passkeys.dto.js';

/** Sign-in with a passkey. */
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
    summary: 'Begin an authentication with a passkey',
    operationId: 'beginPasskeyLogin',
    description:
      'Pass the body of the answer to `PublicKeyCredential.parseRequestOptionsFromJSON()`, for ' +
      '`navigator.credentials.get()`. Without a body it is for a sign-in, and names no user; send the answer to ' +
      '`POST /passkeys/authentication/verify`. With an `mfa_token` send it to `POST /mfa`, for a re-authentication to ' +
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
    if (purpose === 'reauthentication') requireLive(presented);
    const options =
      purpose === 'reauthentication'
        ? await this.signIns.beginReauthentication(presented)
        : await this.signIns.begin(mfaToken ?? null);
    if (options && 'dead' in options) throw deadCredential(options.dead);
    if (!options) throw new Problem('mfa_token_invalid');
    return options as RequestOptions;
  }

  @Post('verify')
  @HttpCode(200)
  @Public('read')
  @RateLimited('login')
  @ApiRoute({
    summary: 'Sign in with a passkey',
    operationId: 'loginWithPasskey',
    description:
      'Requires no name, password or second factor: the authenticator verified its user. The session of a live ' +
      'credential in the request ends.',
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
    const credentials = { authentication: presented, refreshTokens: this.credentials.refreshTokens(request) };
    const signedIn = await this.signIns.signIn(credential, { transport, credentials, client });
    if (!signedIn) throw new Problem('passkey_refused');
    this.credentials.replace(request, reply, signedIn);
    return this.credentials.body(signedIn);
  }
}
