import { Containment } from '../../src/auth/containment/containment.service.js';
import type { TestApp } from './app.js';

/**
 * Ends every session that was made before a moment, as an operator does.
 *
 * @param userId the account; null for every account.
 * @param before now by default.
 */
export function endMadeBefore(
  app: TestApp,
  userId: string | null,
  before: Date | null = null,
): Promise<void> {
  const containment = app.running.app.get(Containment, { strict: false });
  return app.running.database.database.transaction((tx) => containment.containMadeBefore(tx, userId, before));
}
