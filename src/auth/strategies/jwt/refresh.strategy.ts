import { Injectable } from '@nestjs/common';
import passport from 'passport';
import type { Client } from '../../../platform/http/client.decorator.js';
import type { RefreshCredential } from '../../credentials/refresh-credential.js';
import { RefreshTokens } from './refresh-tokens.service.js';

/**
 * The Passport strategy of refresh tokens. To exchange one: success with the result, fail with the refusal. To
 * identify one: success with its session, even an ended one; fail for an unknown token.
 */
@Injectable()
export class RefreshStrategy extends passport.Strategy {
  override readonly name = 'refresh';

  constructor(private readonly tokens: RefreshTokens) {
    super();
  }

  override authenticate(credential: unknown): void {
    const presented = credential as RefreshCredential;
    const verdict =
      presented.purpose === 'exchange'
        ? this.exchange(presented.value, presented.client)
        : this.identify(presented.value);
    verdict.catch((error: unknown) => this.error(error));
  }

  private async exchange(value: string, client: Client): Promise<void> {
    const outcome = await this.tokens.redeem(value, client);
    if (outcome.status === 'redeemed') this.success(outcome);
    else this.fail(outcome as never);
  }

  private async identify(value: string): Promise<void> {
    const owner = await this.tokens.ownerOf(value);
    if (owner === null) this.fail();
    else this.success(owner);
  }
}
