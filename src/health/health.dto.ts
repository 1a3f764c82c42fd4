import { z } from 'zod';

export const liveReplySchema = z.object({ status: z.literal('ok') }).meta({ id: 'Live' });

const checkSchema = z.object({ status: z.enum(['up', 'down']) });

export const readyReplySchema = z
  .object({
    status: z.literal('ok'),
    details: z.object({
      database: checkSchema,
      keys: checkSchema,
      redis: checkSchema.extend({ connection: z.enum(['off', 'up', 'down']) }),
    }),
  })
  .meta({ id: 'Ready' });
