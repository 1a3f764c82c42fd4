import { type Actor, recordEvent } from '../../audit/audit.service.js';
import type { Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';

/** A session that has just ended. */
export interface EndedSession {
  readonly sessionId: string;
  readonly userId: string;
}

/** Records that sessions ended, in the transaction that ends them, and the actor: `user` by default. */
export async function recordEnded(
  tx: Queries,
  ended: readonly EndedSession[],
  { reason, client, actor = 'user' }: { reason: string; client: Client; actor?: Actor },
): Promise<void> {
  for (const { sessionId, userId } of ended)
    await recordEvent(tx, { kind: 'session_ended', userId, sessionId, actor, client, details: { reason } });
}
