import { z } from 'zod';

const sessionId = z.string().meta({ format: 'uuid', description: 'The id of a session of yours.' });

export const sessionParamsSchema = z
  .strictObject({ id: sessionId })
  .meta({ examples: [{ id: '019a0000-0000-7000-8000-000000000002' }] });
export type SessionParams = z.output<typeof sessionParamsSchema>;

const deviceSchema = z
  .object({
    id: z.uuid(),
    current: z.boolean().meta({ description: 'Whether this request came with it.' }),
    strategy: z.string().meta({ description: 'The kind of its credential.' }),
    created_at: z.iso.datetime(),
    last_used_at: z.iso.datetime().meta({ description: 'To within a minute.' }),
    ip: z.string().nullable().meta({ description: 'Where the sign-in came from.' }),
    user_agent: z.string().nullable().meta({ description: 'The browser and system, where they are known.' }),
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
          user_agent: 'Firefox 133 on Linux',
        },
      ],
    },
  ],
});
export type SessionsReply = z.output<typeof sessionsReplySchema>;
