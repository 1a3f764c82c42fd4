import { z } from 'zod';

/** Where a page of events ended: the time in microseconds since 1970, and the id among those of the same time. */
export interface EventPlace {
  readonly micros: string;
  readonly id: string;
}

const PLACE = /^(?<micros>\d{1,16})\.(?<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** The cursor for what is older than a place. */
export function cursorOf({ micros, id }: EventPlace): string {
  return Buffer.from(`${micros}.${id}`).toString('base64url');
}

/** The place that a cursor stands for; null for a text that is none. */
export function readCursor(cursor: string): EventPlace | null {
  const { micros, id } = PLACE.exec(Buffer.from(cursor, 'base64url').toString())?.groups ?? {};
  return micros !== undefined && id !== undefined ? { micros, id } : null;
}

/** A cursor as a query carries it. */
export const eventCursorSchema = z
  .string()
  .max(128)
  .refine((cursor) => readCursor(cursor) !== null, { error: 'must be the next_cursor of a page of events' })
  .meta({ description: 'Where the page before ended: its `next_cursor`.' });
