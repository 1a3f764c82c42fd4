import type { RawBuilder } from 'kysely';

/** A dedicated connection that receives notifications, and can run statements without waiting for the pool. */
export interface NotificationChannel {
  /** Runs a statement with bound parameters and returns its rows. */
  query<Row>(statement: RawBuilder<Row>): Promise<Row[]>;
  /** Releases the connection. Idempotent. */
  close(): Promise<void>;
}

/** Callbacks of a channel. */
interface ChannelListener {
  /** A notification arrived. */
  notified(): void;
  /** The connection broke: no further notifications. */
  lost(): void;
}

/** Opens a channel by its NOTIFY name. */
export type OpenChannel = (name: string, listener: ChannelListener) => Promise<NotificationChannel>;
