import { Injectable } from '@nestjs/common';
import passport from 'passport';
import { RefreshTokens } from './refresh-tokens.service.js';

/** A refresh token on its way through Passport: to be exchanged, or to name the session that is to end. */
export interface RefreshCredential {
  readonly value: string;
  readonly purpose: 'exchange' | 'sign_out';
}

/**
 * The Passport strategy of refresh tokens. To exchange one: success with what it was exchanged for, fail with the
 * refusal. To sign out: success with its session, even one that has ended; fail for an unknown token.
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
    const sessionId = await this.tokens.sessionOf(value);
    if (sessionId === null) this.fail();
    else this.success({ sessionId });
  }
}
