import { type Actor, recordEvent } from '../../audit/audit.service.js';
import type { Queries } from '../../platform/database/database.js';
import type { KeyChange } from './key-transitions.js';

/** Records a new current key, if the changes contain one, in the transaction of the change. */
export async function recordRotation(
  tx: Queries,
  changes: readonly KeyChange[],
  actor: Actor,
): Promise<readonly KeyChange[]> {
  const current = kidOf(changes, 'promoted');
  if (current !== null) {
    const details = { current, previous: kidOf(changes, 'demoted') };
    await recordEvent(tx, { kind: 'key_rotated', userId: null, actor, details });
  }
  return changes;
}

/** Records that an operator revoked a key, and its successor; null if the current key did not change. */
export function recordKeyRevocation(tx: Queries, kid: string, changes: readonly KeyChange[]): Promise<void> {
  const details = { kid, current: kidOf(changes, 'promoted') };
  return recordEvent(tx, { kind: 'key_revoked', userId: null, actor: 'operator', details });
}

function kidOf(changes: readonly KeyChange[], change: KeyChange['change']): string | null {
  return changes.find((one) => one.change === change)?.kid ?? null;
}
