import { Injectable } from '@nestjs/common';
import passport from 'passport';
import type { PresentedCredential } from '../auth.strategy.js';
import { RefreshTokens } from './refresh-tokens.service.js';

/** The Passport strategy of refresh tokens: success with what it was exchanged for, fail with the refusal. */
@Injectable()
export class RefreshStrategy extends passport.Strategy {
  override readonly name = 'refresh';

  constructor(private readonly tokens: RefreshTokens) {
    super();
  }

  override authenticate(credential: unknown): void {
    this.tokens.redeem((credential as PresentedCredential).value).then(
      (outcome) => (outcome.status === 'redeemed' ? this.success(outcome) : this.fail(outcome as never)),
      (error: unknown) => this.error(error),
    );
  }
}
