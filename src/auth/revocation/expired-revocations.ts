import { sql } from 'kysely';
import { ExpiredRows } from '../../platform/retention/expired-rows.js';
import type { RevocationTables } from './revocation.tables.js';

/** Revocations that every node and service has read, and whose last access token has expired. */
export const expiredRevocations = () =>
  new ExpiredRows<RevocationTables>({
    table: 'revocations',
    key: ['seq'],
    by: 'expires_at',
    isOver: sql`expires_at < now()`,
  });
