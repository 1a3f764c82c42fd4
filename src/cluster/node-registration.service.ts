import { hostname } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { AppConfig } from '../../config/app.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { packageVersion } from '../../config/package-root.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import { RunningStrategy } from '../auth/sessions/running-strategy.js';
import { LOGGER } from '../platform/logging/logger.js';
import { LiveCredentials } from './live-credentials.service.js';
import { type IncompatiblePolicy, NodeRegistry } from './node-registry.service.js';
import { describeNode, type LiveNode, type ServingNode } from './serving-node.js';
import { differencesAmong } from './shared-settings.js';
import { fits, textOf } from './strategy-steps.js';

/** Milliseconds between two heartbeats, and after one that failed. */
const RENEWAL = 10_000;
const RETRY = 1_000;
/** The pause after a page of the count as a multiple of its duration: no request waits for the count. */
const PAUSES = 4;
/** Milliseconds that a shutdown waits for the database; the row expires by itself. */
const LEAVE_PATIENCE = 2_000;

/** Registers this process as a node, from its start to its end. */
@Injectable()
export class NodeRegistration implements OnApplicationShutdown {
  private readonly identity: Omit<ServingNode, 'strategy'>;
  private timer: NodeJS.Timeout | undefined;
  private renewal: Promise<void> = Promise.resolve();
  private readonly stopping = new AbortController();
  private isReported = false;

  /** Whether the last heartbeat was written: the proof that this node can write. */
  get isRenewed(): boolean {
    return !this.isReported;
  }

  constructor(
    private readonly nodes: NodeRegistry,
    private readonly credentials: LiveCredentials,
    private readonly running: RunningStrategy,
    @Inject(AUTH_CONFIG) config: Pick<AuthConfig, 'AUTH_AUDIENCE'>,
    @Inject(APP_CONFIG) app: Pick<AppConfig, 'PUBLIC_URL' | 'PORT'>,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.identity = {
      id: uuidv7(),
      publicUrl: app.PUBLIC_URL,
      audience: config.AUTH_AUDIENCE,
      host: hostname(),
      port: app.PORT || null,
      pid: process.pid,
      version: packageVersion(),
    };
  }

  private get node(): ServingNode {
    return { ...this.identity, strategy: this.running.value };
  }

  /**
   * Call it before the first request is served.
   *
   * @throws StepRefused if other nodes would refuse the credentials of this one, or the reverse.
   */
  async register(policy: IncompatiblePolicy): Promise<void> {
    const running = await this.nodes.join(this.node, policy);
    this.warnOfDifferences(running);
    const incompatible = running.filter((other) => !fits(this.node.strategy, other.strategy));
    if (incompatible.length > 0) {
      this.logger.warn({
        event: 'strategy_step_forced',
        strategy: textOf(this.node.strategy),
        incompatible: incompatible.map((other) => `${describeNode(other)} runs ${textOf(other.strategy)}`),
      });
    }
    this.renewIn(RENEWAL);
    // The count takes long with many sessions: do not wait for it.
    void this.warnOfLosses();
  }

  /**
   * Changes the strategy of this node while it serves. One change at a time, and never beside a heartbeat, which would
   * write the value before.
   *
   * @throws StepRefused
   */
  change(to: AuthConfig['AUTH_STRATEGY']): Promise<void> {
    const changed = this.renewal.then(() => this.takeStep(to));
    this.renewal = changed.catch(() => undefined);
    return changed;
  }

  private async takeStep(to: AuthConfig['AUTH_STRATEGY']): Promise<void> {
    const { value: from } = this.running;
    if (textOf(from) === textOf(to)) return;
    try {
      await this.nodes.change(this.node, to, () => this.running.switchTo(to));
    } catch (error) {
      // The next heartbeat writes this value, should the commit have happened without an answer.
      this.running.switchTo(from);
      throw error;
    }
    this.logger.info({ event: 'strategy_changed', from: textOf(from), to: textOf(to) });
    void this.warnOfLosses();
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopping.abort();
    if (!this.timer) return;
    clearTimeout(this.timer);
    let patience: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => (patience = setTimeout(resolve, LEAVE_PATIENCE)));
    const left = this.renewal.then(() => this.nodes.leave(this.node.id));
    await Promise.race([left.catch((error: unknown) => this.report(error)), enough]);
    clearTimeout(patience);
  }

  private renewIn(ms: number): void {
    this.timer = setTimeout(() => (this.renewal = this.renewal.then(() => this.renew())), ms).unref();
  }

  private async renew(): Promise<void> {
    try {
      await this.nodes.renew(this.node);
      this.isReported = false;
    } catch (error) {
      this.report(error);
    }
    if (!this.stopping.signal.aborted) this.renewIn(this.isReported ? RETRY : RENEWAL);
  }

  /** Logs a failure once, not for each retry. */
  private report(error: unknown): void {
    if (!this.isReported) this.logger.warn({ event: 'node_registration_failed', err: error });
    this.isReported = true;
  }

  /** Not refused: a change of these settings has to begin with some node. */
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

  /** Warns while an operator who dropped a kind too early can still roll back. */
  private async warnOfLosses(): Promise<void> {
    const accepted: readonly string[] = this.running.value;
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
