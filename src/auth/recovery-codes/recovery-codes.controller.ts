import { Controller, HttpCode, Post } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../docs/api-reply.decorator.js';
import { RequiresStepUp } from '../../http/access.decorators.js';
import { type Client, FromClient } from '../../http/client.decorator.js';
import { CurrentUser, type CurrentUserInfo } from '../../http/current-user.decorator.js';
import { Problem } from '../../problems/problem.js';
import { type RecoveryCodesReply, recoveryCodesReplySchema } from './recovery-codes.dto.js';
import { RecoveryCodes } from './recovery-codes.service.js';

/** One's own recovery codes. */
@ApiGroup('Second factors')
@Controller('recovery-codes')
export class RecoveryCodesController {
  constructor(private readonly codes: RecoveryCodes) {}

  @Post()
  @HttpCode(200)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Make recovery codes',
    operationId: 'makeRecoveryCodes',
    description: 'They take the place of all earlier ones, and stand in for a second factor that was lost.',
  })
  @ApiReply(200, recoveryCodesReplySchema, 'The codes; they are never shown again')
  @ApiProblems('no_second_factor')
  async make(
    @CurrentUser() caller: CurrentUserInfo,
    @FromClient() client: Client,
  ): Promise<RecoveryCodesReply> {
    const codes = await this.codes.replace({ ...caller, client });
    if (codes === 'session_ended') throw new Problem('credential_revoked');
    if (codes === 'no_second_factor') throw new Problem('no_second_factor');
    return { codes };
  }
}
