import { Inject, Injectable } from '@nestjs/common';
import type { AuthConfig, StrategyName } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';

/** The value of AUTH_STRATEGY that this process runs now; the configuration has the one that it started with. */
@Injectable()
export class RunningStrategy {
  private running: AuthConfig['AUTH_STRATEGY'];

  constructor(@Inject(AUTH_CONFIG) config: Pick<AuthConfig, 'AUTH_STRATEGY'>) {
    this.running = config.AUTH_STRATEGY;
  }

  get value(): AuthConfig['AUTH_STRATEGY'] {
    return this.running;
  }

  /** The kind of credential that new sign-ins get. It can be another one after every `await`. */
  get issues(): StrategyName {
    return this.running[0];
  }

  accepts(name: StrategyName): boolean {
    return this.running.includes(name);
  }

  /** For `StrategyChange` alone, which checks that other nodes and clients are ready. */
  switchTo(value: AuthConfig['AUTH_STRATEGY']): void {
    this.running = value;
  }
}
