import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import type { Logger } from 'pino';
import type { StrategyName } from '../../../config/auth.config.js';
import { Database } from '../../database/database.js';
import { LOGGER } from '../../logging/logger.js';
import type { Verdict } from '../strategies/authenticator.js';
import { StrategyTable } from '../strategies/strategy.table.js';
import { PendingExchanges } from './pending-exchanges.service.js';

/**
 * Milliseconds from the first use of a new credential to the end of the old one, on top of how revocations spread:
 * requests that left with the old one, in the tab beside it, still arrive.
 */
const SETTLE_AFTER = 500;
/** Milliseconds between two tries while the database is away. */
const RETRY_AFTER = 1_000;
/** Sessions in one statement. */
const BATCH = 1_000;

/**
 * Settles exchanges whose new credential was used, behind the requests that used it: reading who somebody is never
 * writes. What is forgotten, because a node dies, is noted again at the next use.
 */
@Injectable()
export class ExchangeCompletion implements OnApplicationShutdown {
  private used = new Map<string, StrategyName>();
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    private readonly exchanges: PendingExchanges,
    private readonly strategies: StrategyTable,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Notes the new credentials among those that a request came with. */
  note(verdicts: readonly Verdict[]): void {
    for (const verdict of verdicts) {
      if (verdict.status !== 'live' || verdict.session.exchangeTo !== verdict.kind) continue;
      this.used.set(verdict.session.sessionId, verdict.kind);
      this.flushIn(SETTLE_AFTER);
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

  /** What cannot be settled now is kept for the next time. */
  private async flush(): Promise<void> {
    const noted = [...this.used];
    this.used = new Map();
    for (const [kind, uses] of Map.groupBy(noted, ([, used]) => used)) {
      for (let start = 0; start < uses.length; start += BATCH) {
        const ids = uses.slice(start, start + BATCH).map(([sessionId]) => sessionId);
        try {
          await this.settle(ids, kind);
        } catch (error) {
          for (const id of ids) if (!this.used.has(id)) this.used.set(id, kind);
          this.flushIn(RETRY_AFTER);
          this.logger.warn({ event: 'exchange_delayed', err: error });
        }
      }
    }
  }

  private settle(sessionIds: readonly string[], kind: StrategyName): Promise<void> {
    return this.database.transaction(async (tx) => {
      const settled = await this.exchanges.settle(tx, sessionIds, kind);
      for (const [dropped, sessions] of Map.groupBy(settled, (session) => session.dropped)) {
        const ids = sessions.map(({ sessionId }) => sessionId);
        await this.strategies.get(dropped).withdraw?.(tx, ids);
      }
    });
  }
}
