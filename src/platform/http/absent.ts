import { z } from 'zod';

/**
 * An optional field of a request body. Clients that cannot leave out a field send null or an empty text: both are absent,
 * as `undefined` is.
 */
export function optional<Schema extends z.ZodType>(schema: Schema) {
  return z.preprocess((value) => (isAbsent(value) ? undefined : value), schema.optional()).optional();
}

function isAbsent(value: unknown): boolean {
  return value === null || value === undefined || value === '';
}
