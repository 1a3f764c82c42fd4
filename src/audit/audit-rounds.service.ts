import { Inject, Injectable, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import { Database } from '../platform/database/database.js';
import { LOGGER } from '../platform/logging/logger.js';
import { AuditSealer } from './audit-sealer.service.js';
import { readChain } from './chain-head.js';

/** Milliseconds between two rounds of sealing. */
const SEAL_INTERVAL = 1_000;
const HOUR = 3_600_000;
/** Milliseconds that a shutdown waits for the database. Other nodes, or the next start, seal the rest. */
const STOP_PATIENCE = 2_000;

/** Maintains the audit trail in rounds: seals new events and logs the head of the chain. */
@Injectable()
export class AuditRounds implements OnApplicationBootstrap, OnApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private isStopping = false;
  private isFailing = false;
  private readonly jobs: readonly Job[];

  constructor(
    private readonly database: Database,
    private readonly sealer: AuditSealer,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.jobs = [job(SEAL_INTERVAL, () => this.sealer.seal()), job(HOUR, () => this.tellHead())];
  }

  onApplicationBootstrap(): void {
    this.goOn();
  }

  /** Seals the last events if the database is available. */
  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    clearTimeout(this.timer);
    let patience: NodeJS.Timeout | undefined;
    const enough = new Promise<void>((resolve) => (patience = setTimeout(resolve, STOP_PATIENCE)));
    const last = this.round.then(() => this.sealer.seal());
    await Promise.race([last.catch(() => undefined), enough]);
    clearTimeout(patience);
  }

  private goOn(): void {
    if (this.isStopping) return;
    this.timer = setTimeout(() => {
      this.round = this.makeRound().finally(() => this.goOn());
    }, SEAL_INTERVAL).unref();
  }

  /** Never throws: the next round tries again. */
  private async makeRound(): Promise<void> {
    try {
      for (const one of this.jobs) {
        if (this.isStopping) return;
        if (performance.now() < one.dueAt) continue;
        await one.run();
        one.dueAt = performance.now() + one.interval - SEAL_INTERVAL / 2;
      }
      if (this.isFailing) this.logger.info({ event: 'audit_restored' });
      this.isFailing = false;
    } catch (error) {
      if (!this.isFailing && !this.isStopping) this.logger.warn({ event: 'audit_delayed', err: error });
      this.isFailing = true;
    }
  }

  /** A log that is kept elsewhere reveals a chain that was cut and continued. */
  private async tellHead(): Promise<void> {
    const chain = await readChain(this.database);
    if (!chain || chain.head.seq === 0n) return;
    const { seq, hash } = chain.head;
    this.logger.info({ event: 'audit_head', seq: Number(seq), hash: hash.toString('hex') });
  }
}

/** A job that runs every `interval` milliseconds. */
interface Job {
  readonly interval: number;
  readonly run: () => Promise<unknown>;
  /** By the monotonic clock. */
  dueAt: number;
}

function job(interval: number, run: () => Promise<unknown>): Job {
  return { interval, run, dueAt: 0 };
}
