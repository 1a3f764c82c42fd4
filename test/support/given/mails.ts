import { sql } from 'kysely';
import type { Queryable } from './queryable.js';

/** Makes every waiting mail due now. */
export async function dueMails(app: Queryable): Promise<void> {
  await app.query(sql`update outbox_mails set next_attempt_at = now() where state = 'waiting'`);
}

/** Lets every mailed token expire now. */
export async function expiredMailTokens(app: Queryable): Promise<void> {
  await app.query(sql`update one_time_tokens set expires_at = now()`);
}
