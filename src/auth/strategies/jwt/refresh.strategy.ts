import { Injectable } from '@nestjs/common';
import passport from 'passport';
import { RefreshTokens } from './refresh-tokens.service.js';

/** A refresh token on its way through Passport: to be exchanged, or to say whose session it belongs to. */
export interface RefreshCredential {
  readonly value: string;
  readonly purpose: 'exchange' | 'identify';
}

/**
 * The Passport strategy of refresh tokens. To exchange one: success with what it was exchanged for, fail with the
 * refusal. To identify one: success with its session, even one that has ended; fail for an unknown token.
 */
@Injectable()
export class RefreshStrategy extends passport.Strategy {
  override readonly name = 'refresh';

  constructor(private readonly tokens: RefreshTokens) {
    super();
  }

  override authenticate(credential: unknown): void {
    const { value, purpose } = credential as RefreshCredential;
    const verdict = purpose === 'exchange' ? this.exchange(value) : this.identify(value);
    verdict.catch((error: unknown) => this.error(error));
  }

  private async exchange(value: string): Promise<void> {
    const outcome = await this.tokens.redeem(value);
    if (outcome.status === 'redeemed') this.success(outcome);
    else this.fail(outcome as never);
  }

  private async identify(value: string): Promise<void> {
    const owner = await this.tokens.ownerOf(value);
    if (owner === null) this.fail();
    else this.success(owner);
  }
}
