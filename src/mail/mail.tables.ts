import type { InferKyselyDB } from '@mikro-orm/sql';
import type { OutboxMailSchema } from './outbox-mail.entity.js';

/** The table that this room writes. */
export type MailTables = InferKyselyDB<typeof OutboxMailSchema>;
