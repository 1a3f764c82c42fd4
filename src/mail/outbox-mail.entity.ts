import { defineEntity, p } from '@mikro-orm/core';
import type { MailKind } from './mail-kinds.js';

/** The state of a mail. */
export type MailState = 'waiting' | 'sent' | 'dropped' | 'shown';

/**
 * A mail to send, or a finished one. It contains no secret: tokens are derived from `nonce` when the mail is
 * composed, the same at each attempt.
 *
 * | state | meaning |
 * | --- | --- |
 * | `waiting` | to be sent at `nextAttemptAt` |
 * | `sent` | accepted by the mail server |
 * | `dropped` | without recipient, or too late |
 * | `shown` | composed without a mail server, for the development mailbox: `rendered`, encrypted |
 */
export const OutboxMailSchema = defineEntity({
  name: 'OutboxMail',
  tableName: 'outbox_mails',
  properties: {
    id: p.uuid().primary(),
    kind: p.text().$type<MailKind>(),
    userId: p.uuid().nullable(),
    recipient: p.text().nullable(),
    params: p.json<Readonly<Record<string, string>>>().defaultRaw("'{}'"),
    nonce: p.blob().$type<Buffer>().hidden(),
    state: p.text().$type<MailState>().default('waiting'),
    attempts: p.integer().default(0),
    nextAttemptAt: p.datetime().defaultRaw('now()'),
    expiresAt: p.datetime(),
    createdAt: p.datetime().defaultRaw('now()'),
    finishedAt: p.datetime().nullable(),
    lastError: p.text().nullable(),
    rendered: p.blob().$type<Buffer>().nullable().hidden().lazy(),
  },
  indexes: [
    {
      name: 'outbox_mails_waiting_index',
      expression:
        'create index "outbox_mails_waiting_index" on "outbox_mails" ("next_attempt_at") where state = \'waiting\'',
    },
    { name: 'outbox_mails_user_id_created_at_index', properties: ['userId', 'createdAt'] },
    { name: 'outbox_mails_recipient_created_at_index', properties: ['recipient', 'createdAt'] },
    { name: 'outbox_mails_created_at_index', properties: ['createdAt'] },
  ],
  checks: [
    {
      name: 'outbox_mails_state',
      expression: "state = any (array['waiting'::text, 'sent'::text, 'dropped'::text, 'shown'::text])",
    },
    { name: 'outbox_mails_nonce_is_32_bytes', expression: 'length(nonce) = 32' },
  ],
});

export class OutboxMail extends OutboxMailSchema.class {}
OutboxMailSchema.setClass(OutboxMail);
