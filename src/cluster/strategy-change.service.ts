import { Injectable } from '@nestjs/common';
import { STRATEGY_NAMES, type AuthConfig } from '../../config/auth.config.js';
import { RunningStrategy } from '../auth/sessions/running-strategy.js';
import { NodeRegistration } from './node-registration.service.js';
import { NodeRegistry } from './node-registry.service.js';
import { stepsBeside, textOf } from './strategy-steps.js';

type Strategy = AuthConfig['AUTH_STRATEGY'];

/** Changes AUTH_STRATEGY of the running process. */
@Injectable()
export class StrategyChange {
  constructor(
    private readonly running: RunningStrategy,
    private readonly registration: NodeRegistration,
    private readonly nodes: NodeRegistry,
  ) {}

  /**
   * Takes one step, if it is safe beside all nodes, this one included: clients that hold a credential of the value that
   * runs must not be refused. Concurrent changes take their steps one after the other.
   *
   * @throws StepRefused
   */
  async change(to: Strategy): Promise<void> {
    await this.registration.change(to);
  }

  /** The values that `change` accepts now, the shortest first; the running one is not among them. */
  async nextSteps(): Promise<Strategy[]> {
    const { value } = this.running;
    const others = (await this.nodes.listLive()).map(({ strategy }) => strategy);
    const steps = stepsBeside([value, ...others], STRATEGY_NAMES) as unknown as Strategy[];
    return steps.filter((step) => textOf(step) !== textOf(value));
  }
}
