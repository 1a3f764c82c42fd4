import type { RawBuilder } from 'kysely';

/**
 * A connection of its own that hears notifications, and on which its owner asks without waiting behind the requests
 * that share the pool.
 */
export interface NotificationChannel {
  /** Runs one statement with bound parameters and gives its rows. */
  query<Row>(statement: RawBuilder<Row>): Promise<Row[]>;
  /** Gives it back; once more does no harm. */
  close(): Promise<void>;
}

/** What the owner of a channel hears. */
export interface ChannelListener {
  /** Something was notified. */
  notified(): void;
  /** The connection broke: nothing more will be heard. */
  lost(): void;
}

/** Opens a channel by the name that NOTIFY uses. */
export type OpenChannel = (name: string, listener: ChannelListener) => Promise<NotificationChannel>;
