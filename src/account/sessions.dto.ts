import { z } from 'zod';
import { strategySchema } from '../auth/credentials/credential.dto.js';

const sessionId = z.string().meta({ format: 'uuid', description: 'The id of one of your sessions.' });

export const sessionParamsSchema = z
  .strictObject({ id: sessionId })
  .meta({ examples: [{ id: '019a0000-0000-7000-8000-000000000002' }] });
export type SessionParams = z.output<typeof sessionParamsSchema>;

const deviceSchema = z
  .object({
    id: z.uuid(),
    current: z.boolean().meta({ description: 'Whether it is the session of this request.' }),
    strategy: strategySchema,
    created_at: z.iso.datetime(),
    last_used_at: z.iso.datetime().meta({ description: 'Accurate to a minute.' }),
    ip: z.string().nullable().meta({ description: 'The IP address of the sign-in.' }),
    device: z.string().nullable().meta({ description: 'The browser and system without versions, if known.' }),
    user_agent: z.string().nullable().meta({ description: 'The browser and system, if known.' }),
  })
  .meta({ id: 'Device' });

export const sessionsReplySchema = z.object({ sessions: z.array(deviceSchema) }).meta({
  id: 'Sessions',
  examples: [
    {
      sessions: [
        {
          id: '019a0000-0000-7000-8000-000000000002',
          current: true,
          strategy: 'session',
          created_at: '2026-11-22T12:00:00.000Z',
          last_used_at: '2026-11-22T12:30:00.000Z',
          ip: '203.0.113.7',
          device: 'Firefox on Linux',
          user_agent: 'Firefox 133 on Linux',
        },
      ],
    },
  ],
});
export type SessionsReply = z.output<typeof sessionsReplySchema>;
