import { z } from 'zod';
import { auditKindSchema } from './audit-kind.dto.js';
import { eventCursorSchema } from './event-cursor.js';

/** Default number of events on a page. */
const PAGE = 50;
const PAGE_MAX = 100;

export const ownEventsQuerySchema = z.strictObject({
  limit: z.coerce
    .number({ error: 'must be a number' })
    .int({ error: 'must be a whole number' })
    .min(1, { error: 'must be 1 at least' })
    .max(PAGE_MAX, { error: `must be ${PAGE_MAX} at most` })
    .default(PAGE)
    .meta({ description: 'The maximum number of events.' }),
  cursor: eventCursorSchema.optional(),
});
export type OwnEventsQuery = z.output<typeof ownEventsQuerySchema>;

const ownEventSchema = z
  .object({
    id: z.uuid(),
    kind: auditKindSchema,
    at: z.iso.datetime(),
    description: z
      .string()
      .meta({ description: 'A short description, in the language that `Accept-Language` prefers.' }),
    actor: z.enum(['user', 'admin', 'operator', 'service', 'system']).meta({
      description:
        'The actor: `user` for the client that used the account or tried to, else a member of the service.',
    }),
    session_id: z.uuid().nullable(),
    ip: z
      .string()
      .nullable()
      .meta({ description: 'The IP address of the client; null if another actor did it.' }),
    device: z.string().nullable().meta({ description: 'The browser and system without versions, if known.' }),
    user_agent: z.string().nullable().meta({ description: 'The browser and system, if known.' }),
    details: z.record(z.string(), z.unknown()),
  })
  .meta({ id: 'Event' });

export const ownEventsReplySchema = z
  .object({
    events: z.array(ownEventSchema),
    next_cursor: z
      .string()
      .nullable()
      .meta({ description: 'The cursor of older events; null if there are none.' }),
  })
  .meta({
    id: 'Events',
    examples: [
      {
        events: [
          {
            id: '019a0000-0000-7000-8000-000000000003',
            kind: 'login',
            at: '2026-11-22T12:00:00.000Z',
            description: 'Signed in',
            actor: 'user',
            session_id: '019a0000-0000-7000-8000-000000000002',
            ip: '203.0.113.7',
            device: 'Firefox on Linux',
            user_agent: 'Firefox 133 on Linux',
            details: { methods: ['pwd'], device: 'known' },
          },
        ],
        next_cursor: null,
      },
    ],
  });
export type OwnEventsReply = z.output<typeof ownEventsReplySchema>;
