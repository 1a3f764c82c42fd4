import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { AppConfig } from '../../../config/app.config.js';
import type { AuthConfig } from '../../../config/auth.config.js';
import { packageVersion } from '../../../config/package-root.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../../config/tokens.config.js';
import { LOGGER } from '../../logging/logger.js';
import { LiveCredentials } from './live-credentials.service.js';
import { type MisfitPolicy, Nodes } from './nodes.service.js';
import { describeNode, type LiveNode, type ServingNode } from './serving-node.js';
import { differencesAmong } from './shared-settings.js';
import { fits, textOf } from './strategy-steps.js';

/** Milliseconds between two signs of life. */
const RENEWAL = 10_000;
/** How much longer than a look at some of the sessions the pause behind it is: nobody waits for the count. */
const PAUSES = 4;
/** Milliseconds that a stop waits for the database; what stays behind stops counting by itself. */
const LEAVE_PATIENCE = 2_000;

/** Says that this process serves, and what it runs, from its start to its end. */
@Injectable()
export class NodeRegistration implements OnApplicationShutdown {
  private readonly node: ServingNode;
  private timer: NodeJS.Timeout | undefined;
  private renewal: Promise<void> = Promise.resolve();
  private readonly stopping = new AbortController();
  private isReported = false;

  constructor(
    private readonly nodes: Nodes,
    private readonly credentials: LiveCredentials,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(APP_CONFIG) app: Pick<AppConfig, 'PUBLIC_URL' | 'PORT'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.node = {
      id: uuidv7(),
      strategy: config.AUTH_STRATEGY,
      publicUrl: app.PUBLIC_URL,
      audience: config.AUTH_AUDIENCE,
      host: hostname(),
      port: app.PORT || null,
      pid: process.pid,
      version: packageVersion(),
    };
  }

  /**
   * To be called before the first request is served.
   *
   * @throws StepRefused when other nodes would not understand this one's credentials, or it not theirs.
   */
  async register(policy: MisfitPolicy): Promise<void> {
    const running = await this.nodes.join(this.node, policy);
    this.warnOfDifferences(running);
    const misfits = running.filter((other) => !fits(this.node.strategy, other.strategy));
    if (misfits.length > 0) {
      this.logger.warn({
        event: 'strategy_step_forced',
        strategy: textOf(this.node.strategy),
        misfits: misfits.map((other) => `${describeNode(other)} runs ${textOf(other.strategy)}`),
      });
    }
    this.timer = setInterval(() => (this.renewal = this.renew()), RENEWAL).unref();
    // Counting takes long where there are many sessions; nobody has to wait for it.
    void this.warnOfLosses();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    if (!this.timer) return;
    clearInterval(this.timer);
    let patience: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => (patience = setTimeout(resolve, LEAVE_PATIENCE)));
    const left = this.renewal.then(() => this.nodes.leave(this.node.id));
    await Promise.race([left.catch((error: unknown) => this.report(error)), enough]);
    clearTimeout(patience);
  }

  private async renew(): Promise<void> {
    try {
      await this.nodes.renew(this.node);
      this.isReported = false;
    } catch (error) {
      this.report(error);
    }
  }

  /** Once for each time that it fails, not for each try. */
  private report(error: unknown): void {
    if (!this.isReported) this.logger.warn({ event: 'node_registration_failed', err: error });
    this.isReported = true;
  }

  /** Not refused: a change of these has to begin with some node. */
  private warnOfDifferences(running: readonly LiveNode[]): void {
    const { node } = this;
    for (const { setting, valueOf } of differencesAmong([node, ...running])) {
      const others = running.filter((other) => valueOf(other) !== valueOf(node));
      if (others.length === 0) continue;
      this.logger.warn({
        event: 'nodes_differ',
        setting,
        value: valueOf(node),
        others: others.map((other) => `${describeNode(other)} has ${valueOf(other)}`),
      });
    }
  }

  /** An operator who drops a kind too early still has the time to take the step back. */
  private async warnOfLosses(): Promise<void> {
    const accepted: readonly string[] = this.config.AUTH_STRATEGY;
    const { signal } = this.stopping;
    const rest = (took: number) => pause(took * PAUSES, undefined, { ref: false, signal });
    try {
      for (const { kind, sessions, goneAt } of await this.credentials.byKind(rest)) {
        if (accepted.includes(kind)) continue;
        const until = goneAt.toISOString();
        this.logger.warn({ event: 'live_credentials_not_accepted', kind, sessions, until });
      }
    } catch (error) {
      if (!signal.aborted) this.logger.warn({ event: 'live_credentials_unknown', err: error });
    }
  }
}
