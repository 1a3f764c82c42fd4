import { STRATEGY_NAMES, type StrategyName } from '../../../config/auth.config.js';
import type { Config } from '../../../config/load.config.js';

/** What a specification describes: a configuration, and the strategies that are documented with it. */
export interface Described {
  readonly config: Config;
  /** Those that can issue: one, except in the union. */
  readonly issuing: readonly [StrategyName, ...StrategyName[]];
  readonly accepted: readonly StrategyName[];
}

/** The strategies of one value of AUTH_STRATEGY. */
export function strategiesOf(config: Config, order: Config['auth']['AUTH_STRATEGY']): Described {
  return { config, issuing: [order[0]], accepted: order };
}

/** The union over all values of AUTH_STRATEGY. */
export function allStrategies(config: Config): Described {
  return { config, issuing: STRATEGY_NAMES, accepted: STRATEGY_NAMES };
}
