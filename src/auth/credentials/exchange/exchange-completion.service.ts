import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import type { Logger } from 'pino';
import type { StrategyName } from '../../../../config/auth.config.js';
import { Database } from '../../../platform/database/database.js';
import { LOGGER } from '../../../platform/logging/logger.js';
import type { Verdict } from '../authenticator.js';
import { StrategyRegistry } from '../strategy-registry.service.js';
import { PendingExchanges } from '../../sessions/pending-exchanges.service.js';

/**
 * Milliseconds from the first use of a new credential to the end of the old one, plus the propagation of revocations.
 * Requests already sent with the old one, from another tab, still arrive.
 */
const COMPLETE_AFTER = 500;
/** Milliseconds between two attempts while the database is unavailable. */
const RETRY_AFTER = 1_000;
/** Sessions in one statement. */
const BATCH = 1_000;

/**
 * Completes exchanges whose new credential was used, after the requests that used it: authentication never writes. If
 * a node dies before the write, the next use records it again.
 */
@Injectable()
export class ExchangeCompletion implements OnModuleInit, OnApplicationShutdown {
  private used = new Map<string, StrategyName>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    private readonly exchanges: PendingExchanges,
    private readonly strategies: StrategyRegistry,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onModuleInit(): void {
    this.exchanges.cleanUpWith(async (tx, kind, sessionIds) =>
      this.strategies.get(kind).revokeFor?.(tx, sessionIds),
    );
  }

  /** Records the new credentials among those of a request. */
  note(verdicts: readonly Verdict[]): void {
    for (const verdict of verdicts) {
      if (verdict.status !== 'live' || verdict.session.exchangeTo !== verdict.kind) continue;
      this.used.set(verdict.session.sessionId, verdict.kind);
      this.flushIn(COMPLETE_AFTER);
    }
  }

  async onApplicationShutdown(): Promise<void> {
    clearTimeout(this.timer);
    await this.flush();
    clearTimeout(this.timer);
  }

  private flushIn(milliseconds: number): void {
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.flush();
    }, milliseconds).unref();
  }

  /** Exchanges that cannot be completed now are kept for the next run. */
  private async flush(): Promise<void> {
    const noted = [...this.used];
    this.used = new Map();
    for (const [kind, uses] of Map.groupBy(noted, ([, used]) => used)) {
      for (let start = 0; start < uses.length; start += BATCH) {
        const ids = uses.slice(start, start + BATCH).map(([sessionId]) => sessionId);
        try {
          await this.complete(ids, kind);
        } catch (error) {
          for (const id of ids) if (!this.used.has(id)) this.used.set(id, kind);
          this.flushIn(RETRY_AFTER);
          this.logger.warn({ event: 'exchange_delayed', err: error });
        }
      }
    }
  }

  private async complete(sessionIds: readonly string[], kind: StrategyName): Promise<void> {
    await this.database.transaction((tx) => this.exchanges.complete(tx, sessionIds, kind));
  }
}
