import { type Actor, recordEvent } from '../../audit/audit.service.js';
import type { Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';

/** A session that was just ended. */
export interface EndedSession {
  readonly sessionId: string;
  readonly userId: string;
}

/** Records, in the transaction that ends them, that sessions were ended, and by whom: `user` by default. */
export async function recordEnded(
  tx: Queries,
  ended: readonly EndedSession[],
  { reason, client, actor = 'user' }: { reason: string; client: Client; actor?: Actor },
): Promise<void> {
  for (const { sessionId, userId } of ended)
    await recordEvent(tx, { kind: 'session_ended', userId, sessionId, actor, client, details: { reason } });
}
