import { Injectable } from '@nestjs/common';
import type { StrategyName } from '../../../config/auth.config.js';
import { RunningStrategy } from '../sessions/running-strategy.js';
import type { AuthStrategy } from './auth.strategy.js';

/** All strategies in the order of their table, and the issuing one. Depends only on their contract. */
@Injectable()
export class StrategyRegistry {
  private strategies: readonly AuthStrategy[] = [];

  constructor(private readonly running: RunningStrategy) {}

  /**
   * Registers all strategies, before the first request.
   *
   * @throws if the first strategy of AUTH_STRATEGY is missing.
   */
  register(strategies: readonly AuthStrategy[]): void {
    this.strategies = strategies;
    this.get(this.running.issues);
  }

  /** All strategies, accepted or not, in the order of the table. */
  get all(): readonly AuthStrategy[] {
    return this.strategies;
  }

  /** The strategy that new sign-ins get. */
  get issuing(): AuthStrategy {
    return this.get(this.running.issues);
  }

  /** The strategy of a kind of credential. */
  get(name: StrategyName): AuthStrategy {
    const found = this.strategies.find((strategy) => strategy.name === name);
    if (!found) throw new Error(`no strategy is registered as ${name}`);
    return found;
  }
}
