import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { LOGGER } from '../../platform/logging/logger.js';
import { KeyLifecycle } from './key-lifecycle.service.js';
import { roundInterval } from './key-times.js';
import { SigningKeys } from './signing-keys.service.js';

/** Maximum seconds from a failed round to the next. */
const RETRY_AFTER = 2;

/** Maintains the keys in rounds: rotates them when due, and learns of changes by other nodes. */
@Injectable()
export class KeyRotation implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private isFailing = false;
  private isStopping = false;
  /** Seconds. */
  private readonly interval: number;

  constructor(
    private readonly lifecycle: KeyLifecycle,
    private readonly keys: SigningKeys,
    @Inject(AUTH_CONFIG) config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.interval = roundInterval(config);
  }

  onApplicationBootstrap(): void {
    this.goOn();
  }

  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    clearTimeout(this.timer);
    await this.round;
  }

  private goOn(): void {
    if (this.isStopping) return;
    const seconds = this.isFailing ? Math.min(RETRY_AFTER, this.interval) : this.interval;
    this.timer = setTimeout(() => {
      this.round = this.makeRound().finally(() => this.goOn());
    }, seconds * 1000).unref();
  }

  /** Never throws: the next round tries again. */
  private async makeRound(): Promise<void> {
    const errors: unknown[] = [];
    // Independent steps: a node that cannot rotate keys can still learn of changes and sign.
    for (const part of [() => this.moveOn(), () => this.keys.renew()]) {
      await part().catch((error: unknown) => errors.push(error));
    }
    this.report(errors);
  }

  private async moveOn(): Promise<void> {
    for (const { change, kid } of await this.lifecycle.advance()) {
      this.logger.info({ event: `signing_key_${change}`, kid });
    }
  }

  /** Logs an outage once when it begins and once when it ends. */
  private report([error]: readonly unknown[]): void {
    const isFailing = error !== undefined;
    if (isFailing && !this.isFailing && !this.isStopping) {
      this.logger.warn({ event: 'key_rotation_delayed', err: error });
    }
    if (!isFailing && this.isFailing) this.logger.info({ event: 'key_rotation_restored' });
    this.isFailing = isFailing;
  }
}
