import { Controller, HttpCode, Post } from '@nestjs/common';
import { ApiGroup, ApiProblems, ApiReply, ApiRoute } from '../../../platform/docs/api-reply.decorator.js';
import { RequiresStepUp } from '../../../platform/http/access.decorators.js';
import { type Client, FromClient } from '../../../platform/http/client.decorator.js';
import { Problem } from '../../../platform/problems/problem.js';
import { Acting, deadCredential } from '../../credentials/auth.guard.js';
import type { LiveAuthentication } from '../../credentials/authenticator.js';
import { type RecoveryCodesReply, recoveryCodesReplySchema } from './recovery-codes.dto.js';
import { RecoveryCodes } from './recovery-codes.service.js';

/** Recovery codes of the caller. */
@ApiGroup('Second factors')
@Controller('recovery-codes')
export class RecoveryCodesController {
  constructor(private readonly codes: RecoveryCodes) {}

  @Post()
  @HttpCode(200)
  @RequiresStepUp()
  @ApiRoute({
    summary: 'Create recovery codes',
    operationId: 'createRecoveryCodes',
    description: 'They replace all earlier codes. Each one replaces a lost second factor once.',
  })
  @ApiReply(200, recoveryCodesReplySchema, 'The codes; they are not shown again')
  @ApiProblems('no_second_factor')
  async make(@Acting() actor: LiveAuthentication, @FromClient() client: Client): Promise<RecoveryCodesReply> {
    const codes = await this.codes.replace({ actor, client });
    if (codes === 'no_second_factor') throw new Problem('no_second_factor');
    if ('dead' in codes) throw deadCredential(codes.dead);
    return { codes };
  }
}
