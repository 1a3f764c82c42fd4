import { defineEntity, p } from '@mikro-orm/core';

/** What became of a mail. */
export type MailState = 'waiting' | 'sent' | 'dropped' | 'shown';

/**
 * A mail that is to be sent, or was. It says what to tell and to whom, but holds no secret: tokens are derived from
 * `nonce` when it is composed, the same at each attempt.
 *
 * | state | is |
 * | --- | --- |
 * | `waiting` | to be sent at `nextAttemptAt` |
 * | `sent` | taken by the mail server |
 * | `dropped` | nobody to write to, or its time ran out |
 * | `shown` | composed without a mail server, for the mailbox of development: `rendered`, encrypted |
 */
const OutboxMailSchema = defineEntity({
  name: 'OutboxMail',
  tableName: 'outbox_mails',
  properties: {
    id: p.uuid().primary(),
    kind: p.text(),
    userId: p.uuid().nullable(),
    recipient: p.text().nullable(),
    params: p.json<Record<string, unknown>>().defaultRaw("'{}'"),
    nonce: p.blob().hidden(),
    state: p.text().default('waiting'),
    attempts: p.integer().default(0),
    nextAttemptAt: p.datetime().defaultRaw('now()'),
    expiresAt: p.datetime(),
    createdAt: p.datetime().defaultRaw('now()'),
    finishedAt: p.datetime().nullable(),
    lastError: p.text().nullable(),
    rendered: p.blob().nullable().hidden().lazy(),
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
