import { sql } from 'kysely';
import { OldRows } from '../../platform/retention/old-rows.js';
import type { RevocationTables } from './revocation.tables.js';

/** Revocations that every node and service has read, and whose last access token has expired. */
export const oldRevocations = () =>
  new OldRows<RevocationTables>({
    table: 'revocations',
    key: ['seq'],
    by: 'expires_at',
    isOver: sql`expires_at < now()`,
  });
