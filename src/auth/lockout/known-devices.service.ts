import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { clientNetwork } from '../../throttle/client-network.js';

/** The most that are remembered of a person; the one not seen for longest goes. */
const REMEMBERED_MAX = 50;
/** Days after which one goes, at the next sign-in: the last one stays, so that somebody who was away long is told, too. */
const REMEMBERED_DAYS = 400;

/** Where people signed in from before. */
@Injectable()
export class KnownDevices {
  /**
   * Notes, in the transaction of a sign-in, where it came from.
   *
   * @returns `new` if the person has signed in before, but never from this network, nor with this user agent from
   * another: a browser that was updated and a telephone on the way are not worth a mail.
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
    // Every part of the statement sees the table as it was before; null: there was nothing.
    return before?.is_new === true ? 'new' : 'known';
  }
}
