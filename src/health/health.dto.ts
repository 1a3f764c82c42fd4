import { z } from 'zod';

export const liveReplySchema = z
  .object({ status: z.literal('ok') })
  .meta({ id: 'Live', examples: [{ status: 'ok' }] });

const checkSchema = z.object({ status: z.enum(['up', 'down']) });

export const readyReplySchema = z
  .object({
    status: z.literal('ok'),
    details: z.object({
      database: checkSchema,
      keys: checkSchema,
      redis: checkSchema.extend({ connection: z.enum(['off', 'up', 'down']) }),
      mail: checkSchema.extend({ delivery: z.enum(['smtp', 'mailbox', 'off']) }),
    }),
  })
  .meta({
    id: 'Ready',
    examples: [
      {
        status: 'ok',
        details: {
          database: { status: 'up' },
          keys: { status: 'up' },
          redis: { status: 'up', connection: 'off' },
          mail: { status: 'up', delivery: 'smtp' },
        },
      },
    ],
  });
