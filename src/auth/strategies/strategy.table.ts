import type { Type } from '@nestjs/common';
import type { AuthConfig, StrategyName } from '../../../config/auth.config.js';
import type { AuthStrategy } from './auth.strategy.js';
import { JwtStrategy } from './jwt/jwt.strategy.js';
import { SessionStrategy } from './session/session.strategy.js';

/**
 * The table of strategies, the only place that knows them all. Bearers of `Authorization` stand first: for one and
 * the same person they win over cookies.
 */
export const STRATEGIES: readonly Type<AuthStrategy>[] = [JwtStrategy, SessionStrategy];

/** The strategies of the table, made, and the one that issues. */
export class StrategyTable {
  /** The strategy that new sign-ins get. */
  readonly issuing: AuthStrategy;

  constructor(
    { AUTH_STRATEGY: [issuing] }: AuthConfig,
    /** In the order of the table. */
    readonly all: readonly AuthStrategy[],
  ) {
    this.issuing = this.get(issuing);
  }

  /** The strategy of a kind of credential. */
  get(name: StrategyName): AuthStrategy {
    const found = this.all.find((strategy) => strategy.name === name);
    if (!found) throw new Error(`no strategy stands in the table for ${name}`);
    return found;
  }
}
