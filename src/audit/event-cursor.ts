import { z } from 'zod';

/** The position of the last event of a page: time in microseconds since 1970, then id. */
export interface EventPlace {
  readonly micros: string;
  readonly id: string;
}

const PLACE = /^(?<micros>\d{1,16})\.(?<id>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

/** Returns the cursor for events older than a position. */
export function cursorOf({ micros, id }: EventPlace): string {
  return Buffer.from(`${micros}.${id}`).toString('base64url');
}

/** Parses a cursor; null for an invalid text. */
export function readCursor(cursor: string): EventPlace | null {
  const { micros, id } = PLACE.exec(Buffer.from(cursor, 'base64url').toString())?.groups ?? {};
  return micros !== undefined && id !== undefined ? { micros, id } : null;
}

/** A cursor in a query string. */
export const eventCursorSchema = z
  .string()
  .max(128)
  .refine((cursor) => readCursor(cursor) !== null, { error: 'must be the next_cursor of a page of events' })
  .meta({ description: 'The `next_cursor` of the previous page.' });
