import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { clientNetwork } from '../../platform/throttle/client-network.js';

/** The maximum of devices stored for a user; the least recently used is deleted. */
const REMEMBERED_MAX = 50;
/**
 * Days after which a device is deleted at the next sign-in. The last one stays, so that users who return after a long
 * time are still notified.
 */
const REMEMBERED_DAYS = 400;

/** Removes the known devices of a user: they were those of an attacker. */
export async function removeKnownDevices(tx: Queries, userId: string): Promise<void> {
  await tx.query(sql`delete from known_devices where user_id = ${userId}`);
}

/** The devices of earlier sign-ins. */
@Injectable()
export class KnownDevices {
  /**
   * Records the device of a sign-in, in its transaction.
   *
   * @returns `new` if the user has signed in before, but never from this network, nor with this user agent from
   * another network. A browser update or a phone on the move is not worth a mail.
   */
  async note(tx: Queries, userId: string, client: Client): Promise<'new' | 'known'> {
    const network = clientNetwork(client.ip);
    const agentHash = createHash('sha256')
      .update(client.userAgent ?? '')
      .digest();
    const [before] = await tx.query(
      sql<{ is_new: boolean | null }>`with noted as (
          insert into known_devices (user_id, network, agent_hash) values (${userId}, ${network}, ${agentHash})
          on conflict (user_id, network, agent_hash) do update set last_seen_at = now()
        ), dropped as (
          delete from known_devices where user_id = ${userId} and (network, agent_hash) <> (${network}, ${agentHash})
            and ((network, agent_hash) in (
                select network, agent_hash from known_devices
                where user_id = ${userId} and (network, agent_hash) <> (${network}, ${agentHash})
                order by last_seen_at desc offset ${REMEMBERED_MAX - 1})
              or last_seen_at < now() - make_interval(days => ${REMEMBERED_DAYS}))
        )
        select not bool_or(network = ${network} or agent_hash = ${agentHash}) as is_new
        from known_devices where user_id = ${userId}`,
    );
    // All parts of the statement see the table before it; null means that it had no row.
    return before?.is_new === true ? 'new' : 'known';
  }
}
