import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';

/**
 * Takes back the links to another address of an account, and stops those that no mail was composed for yet. Belongs in
 * whatever puts an end to the other sessions of a person, or to what somebody else knows: a link that was asked for in a
 * session whose holder signed out would otherwise outlive all of it, for a day.
 *
 * @param exceptId the session whose own wish stays; null for none.
 */
export async function withdrawAddressChanges(
  tx: Queries,
  userId: string,
  exceptId: string | null,
): Promise<void> {
  // The mails first: whoever composes one writes its row before the token, so that this waits and sees the token, or that one
  // finds its mail withdrawn.
  await tx.query(
    sql`update outbox_mails set state = 'dropped', finished_at = now(), last_error = 'withdrawn'
        where user_id = ${userId} and kind = 'change_email' and state = 'waiting'
          and params->>'session' is distinct from ${exceptId}`,
  );
  await tx.query(
    sql`delete from one_time_tokens where user_id = ${userId} and purpose = 'change_email'
          and session_id is distinct from ${exceptId}::uuid`,
  );
}
