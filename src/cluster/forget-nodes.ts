import type { OpenDatabase } from '../platform/database/open.database.js';
import type { ClusterTables } from './cluster.tables.js';

/**
 * Deletes the rows of nodes whose process was killed, if no other process can have the database open. Call it after
 * opening the database and before registering as a node.
 */
export async function forgetNodes({ database, isExclusive }: OpenDatabase): Promise<void> {
  if (isExclusive) await database.of<ClusterTables>().deleteFrom('nodes').execute();
}
