import type { Type } from '@nestjs/common';
import type { AuthStrategy } from '../credentials/auth.strategy.js';
import { JwtStrategyModule } from './jwt/jwt.module.js';
import { SessionStrategyModule } from './session/session.module.js';

/** The Nest module of one strategy: provides and exports it, and imports its controllers and dependencies. */
export interface StrategyModule extends Type {
  readonly strategy: Type<AuthStrategy>;
}

/**
 * The table of strategies, the only place that knows them all. Strategies that read `Authorization` come first: if a
 * request carries a bearer token and a cookie of the same user, the bearer token wins.
 */
export const STRATEGIES: readonly StrategyModule[] = [
  JwtStrategyModule, // Authorization: Bearer, or cookies
  SessionStrategyModule, // a cookie
];
