import { Inject, Injectable, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Database } from '../../database/database.js';
import type { NotificationChannel } from '../../database/notification-channel.js';
import { LOGGER } from '../../logging/logger.js';
import { SharedRun } from '../shared-run.js';

/** Milliseconds between two looks where nothing is notified: NOTIFY is lost on a reconnect, and behind some poolers. */
const POLL_INTERVAL = 1_000;
/** Milliseconds after which what was remembered is not believed any more: the bound on a revocation, at worst. */
export const STALE_AFTER = 2_000;

/** More than this at once, and forgetting everything is cheaper than reading them. */
const NOTICES_MAX = 10_000;

/** A snapshot of an empty database. */
const NOTHING_SEEN = '1:1:';

const CHANNEL = 'traffy_revocations';

/** What died; the entity has the meaning of each kind. */
export interface RevocationNotice {
  readonly kind: 'session' | 'credential' | 'user' | 'all' | 'key';
  readonly sessionId: string | null;
  readonly userId: string | null;
}

/** Hears what died; `lost` instead when something may have been missed, so that nothing is to be believed. */
export type RevocationListener = (notices: readonly RevocationNotice[] | 'lost') => void;

interface Look {
  now: number | string;
  snapshot: string;
  /** The oldest transaction that may still write. */
  oldest: string;
  notices: { kind: RevocationNotice['kind']; session_id: string | null; user_id: string | null }[];
}

/**
 * Brings what was revoked on any node to this one: a notification says that there is something, a look reads it, and
 * a look every second finds what was not notified. docs/adr/0012 has the bounds.
 *
 * A look takes what the look before could not see, by the database's own account of visible transactions. A cursor
 * over sequence numbers would lose the row of a transaction that took its number early and committed late.
 */
@Injectable()
export class RevocationFeed implements OnModuleInit, OnApplicationShutdown {
  private readonly listeners: RevocationListener[] = [];
  private channel: NotificationChannel | null = null;
  private snapshot: string | null = null;
  private oldest = 0n;
  /** When the last look that was answered left, by the monotonic clock. */
  private freshAt = Number.NEGATIVE_INFINITY;
  private readonly looks = new SharedRun(() => this.look());
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

  /** Whether this node heard all that was revoked until two seconds ago at the latest. */
  get isFresh(): boolean {
    return performance.now() - this.freshAt <= STALE_AFTER;
  }

  /** Calls a listener with all that dies from now on, in the order in which it is heard. */
  subscribe(listener: RevocationListener): void {
    this.listeners.push(listener);
  }

  /**
   * Takes in all that was committed before this call. If that cannot be done, nothing that was remembered is believed
   * until it can; so it never throws.
   */
  catchUp(): Promise<void> {
    return this.looks.run();
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
    if (!look) throw new Error('the database told nothing');
    this.database.clock.observe(Number(look.now), askedAt, performance.now());
    this.take(look);
    this.freshAt = askedAt;
  }

  private take({ snapshot, oldest, notices }: Look): void {
    const isFirst = this.snapshot === null;
    // Transactions are counted upwards for ever; after a restore from a backup the count is another one.
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
    // It may lead to another server than before, such as a standby that lagged: what was seen there says nothing here.
    this.snapshot = null;
    this.oldest = 0n;
    return this.database.openChannel(CHANNEL, {
      notified: () => void this.catchUp(),
      // What was heard until now stays good for its two seconds; the next look opens another one.
      lost: () => (this.channel = null),
    });
  }
}
