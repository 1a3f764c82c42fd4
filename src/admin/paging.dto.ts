import { z } from 'zod';

/** The maximum number of items; text, because query parameters are text. */
export const pageLimitSchema = z
  .string()
  .regex(/^([1-9]\d?|100)$/, { error: 'must be a number from 1 to 100' })
  .transform(Number)
  .optional()
  .meta({
    type: 'integer',
    minimum: 1,
    maximum: 100,
    description: 'The maximum number of items: 1 to 100, 20 by default.',
  });
