import { z } from 'zod';

/** How many of a list at most; text, as queries are. */
export const pageLimitSchema = z
  .string()
  .regex(/^([1-9]\d?|100)$/, { error: 'must be a number from 1 to 100' })
  .transform(Number)
  .optional()
  .meta({ description: 'How many at most: 1 to 100, 20 by default.' });
