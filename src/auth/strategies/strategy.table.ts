import { Inject, Injectable } from '@nestjs/common';
import type { AuthConfig, StrategyName } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import type { AuthStrategy } from './auth.strategy.js';
import { JwtStrategy } from './jwt/jwt.strategy.js';
import { SessionStrategy } from './session/session.strategy.js';

/**
 * The table of strategies, the only place that knows them all. Bearers of `Authorization` stand first: for one and
 * the same person they win over cookies.
 */
@Injectable()
export class StrategyTable {
  readonly all: readonly AuthStrategy[];
  private readonly byName: Readonly<Record<StrategyName, AuthStrategy>>;

  constructor(
    jwt: JwtStrategy,
    session: SessionStrategy,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {
    this.byName = { jwt, session };
    this.all = Object.values(this.byName);
  }

  /** The strategy that new sign-ins get. */
  get issuing(): AuthStrategy {
    return this.byName[this.config.AUTH_STRATEGY[0]];
  }
}
