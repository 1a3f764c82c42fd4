import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { Columns } from '../../platform/database/columns.js';
import { Database } from '../../platform/database/database.js';
import type { NotificationChannel } from '../../platform/database/notification-channel.js';
import { LOGGER } from '../../platform/logging/logger.js';
import { SharedRun } from '../../platform/database/shared-run.js';
import type { RevocationKind } from './revocation.entity.js';
import type { RevocationTables } from './revocation.tables.js';

/** Milliseconds between two polls without a notification: NOTIFY is lost on a reconnect and behind some poolers. */
const POLL_INTERVAL = 1_000;
/** Milliseconds after which cached verdicts are stale: the upper bound on the delay of a revocation. */
const STALE_AFTER = 2_000;

/** With more notices, clearing the cache is cheaper than reading them. */
const NOTICES_MAX = 10_000;

/** A snapshot of an empty database. */
const NOTHING_SEEN = '1:1:';

const CHANNEL = 'traffy_revocations';

/** A revocation; the entity describes each kind. */
export interface RevocationNotice {
  readonly kind: RevocationKind;
  readonly sessionId: string | null;
  readonly userId: string | null;
}

/** Receives revocations; `lost` instead if some may have been missed, so that the cache must not be used. */
export type RevocationListener = (notices: readonly RevocationNotice[] | 'lost') => void;

interface Look {
  now: number;
  snapshot: string;
  /** The oldest transaction that can still write. */
  oldest: string;
  notices: Columns<RevocationTables, 'revocations', 'kind' | 'session_id' | 'user_id'>[];
}

/**
 * Brings revocations from all nodes to this one: a notification triggers a poll, and a poll every second finds what
 * was not notified. docs/adr/0012 has the bounds.
 *
 * A poll reads the rows that the previous poll could not see, by the database's own snapshot of visible transactions.
 * A cursor over sequence numbers would miss the row of a transaction that took its number early and committed late.
 */
@Injectable()
export class RevocationFeed implements OnModuleInit, OnApplicationShutdown {
  private readonly listeners: RevocationListener[] = [];
  private channel: NotificationChannel | null = null;
  private snapshot: string | null = null;
  private oldest = 0n;
  /** When the last answered poll was sent, by the monotonic clock. */
  private freshAt = Number.NEGATIVE_INFINITY;
  private readonly polls = new SharedRun(() => this.look());
  private timer: NodeJS.Timeout | undefined;
  private isStopping = false;
  private isReported = false;

  constructor(
    private readonly database: Database,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.catchUp();
    this.timer = setInterval(() => void this.catchUp(), POLL_INTERVAL).unref();
  }

  /** Whether this node has seen all revocations up to at most two seconds ago. */
  get isFresh(): boolean {
    return performance.now() - this.freshAt <= STALE_AFTER;
  }

  /** Calls a listener with all revocations from now on, in the order of arrival. */
  subscribe(listener: RevocationListener): void {
    this.listeners.push(listener);
  }

  /**
   * Reads all revocations committed before this call. If that fails, the cache is not used until it succeeds; so it
   * never throws.
   */
  catchUp(): Promise<void> {
    return this.polls.run();
  }

  async onApplicationShutdown(): Promise<void> {
    this.isStopping = true;
    clearInterval(this.timer);
    await this.catchUp();
    await this.channel?.close();
    this.channel = null;
  }

  private async look(): Promise<void> {
    if (this.isStopping) return;
    try {
      await this.readNew();
      if (this.isReported) this.logger.info({ event: 'revocation_feed_restored' });
      this.isReported = false;
    } catch (error) {
      this.freshAt = Number.NEGATIVE_INFINITY;
      void this.channel?.close();
      this.channel = null;
      if (!this.isReported && !this.isStopping)
        this.logger.warn({ event: 'revocation_feed_lost', err: error });
      this.isReported = true;
    }
  }

  private async readNew(): Promise<void> {
    const channel = (this.channel ??= await this.open());
    const askedAt = performance.now();
    const [look] = await channel.query(
      sql<Look>`select (extract(epoch from clock_timestamp()) * 1000)::float8 as now,
          pg_current_snapshot()::text as snapshot, pg_snapshot_xmin(pg_current_snapshot())::text as oldest,
          coalesce((select json_agg(json_build_object('kind', r.kind, 'session_id', r.session_id, 'user_id', r.user_id) order by r.seq)
            from (select * from revocations where xact >= ${this.oldest.toString()}::bigint
              and xact < pg_snapshot_xmax(pg_current_snapshot())::text::bigint
              and not pg_visible_in_snapshot(xact::text::xid8, ${this.snapshot ?? NOTHING_SEEN}::text::pg_snapshot)
              limit ${NOTICES_MAX + 1}) as r), '[]') as notices`,
    );
    if (!look) throw new Error('the database returned no row');
    this.database.clock.observe(look.now, askedAt, performance.now());
    this.take(look);
    this.freshAt = askedAt;
  }

  private take({ snapshot, oldest, notices }: Look): void {
    const isFirst = this.snapshot === null;
    // Transaction ids only increase; after a restore from a backup they start from another value.
    const isAnotherServer = BigInt(oldest) < this.oldest;
    if (isFirst || isAnotherServer || notices.length > NOTICES_MAX) this.tell('lost');
    else if (notices.length > 0)
      this.tell(notices.map((row) => ({ kind: row.kind, sessionId: row.session_id, userId: row.user_id })));
    this.snapshot = snapshot;
    this.oldest = BigInt(oldest);
  }

  private tell(notices: readonly RevocationNotice[] | 'lost'): void {
    for (const listener of this.listeners) listener(notices);
  }

  private open(): Promise<NotificationChannel> {
    // The connection may lead to another server, such as a lagging standby: the old snapshot is meaningless there.
    this.snapshot = null;
    this.oldest = 0n;
    return this.database.openChannel(CHANNEL, {
      notified: () => void this.catchUp(),
      // Revocations read so far stay valid for two seconds; the next poll opens another channel.
      lost: () => (this.channel = null),
    });
  }
}
