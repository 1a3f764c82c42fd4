import { type RawBuilder, sql } from 'kysely';
import { Audit, type NewAuditEvent } from '../../src/audit/audit.service.js';
import { AuditSealer } from '../../src/audit/audit-sealer.service.js';
import { type ChainPlace, readChain } from '../../src/audit/chain-head.js';
import { type ChainReport, verifyChain } from '../../src/audit/chain-verification.js';
import type { Database, Queries } from '../../src/platform/database/database.js';
import { TEST_SECRET, type TestApp } from './app.js';
import { until } from './process.js';

export interface StoredEvent {
  kind: string;
  user_id: string | null;
  actor: string;
  session_id: string | null;
  ip: string | null;
  details: Record<string, unknown>;
}

export const databaseOf = (app: TestApp): Database => app.running.database.database;

export const service = <T>(app: TestApp, type: new (...args: never[]) => T): T =>
  app.running.app.get<T>(type, { strict: false });

/** What was recorded, the oldest first. */
export async function events(
  app: TestApp,
  condition: RawBuilder<unknown> = sql`true`,
): Promise<StoredEvent[]> {
  const rows = await databaseOf(app).query(
    sql<
      StoredEvent & { details: string }
    >`select kind, user_id, actor, session_id, ip, details::text as details from audit_events where ${condition} order by at, id`,
  );
  return rows.map((row) => ({ ...row, details: JSON.parse(row.details) }));
}

export async function countOf(queries: Queries, from: RawBuilder<unknown>): Promise<number> {
  const [row] = await queries.query(sql<{ count: number }>`select count(*)::int as count from ${from}`);
  return row?.count ?? 0;
}

/** Records events that tell nothing. */
export async function recordSome(
  app: TestApp,
  count: number,
  kind: NewAuditEvent['kind'] = 'users_exported',
) {
  for (let i = 0; i < count; i += 1)
    await service(app, Audit).record({ kind, userId: null, actor: 'operator', details: { number: i } });
}

/** Seals until nothing waits. Transactions of others on the same server may make that take a moment. */
export function sealAll(app: TestApp): Promise<true> {
  return until(async () => {
    await service(app, AuditSealer).seal();
    return (await countOf(databaseOf(app), sql`audit_events where seq is null`)) === 0 || undefined;
  });
}

export function verify(queries: Queries, noted: ChainPlace | null = null): Promise<ChainReport> {
  return verifyChain(queries, [TEST_SECRET], noted);
}

export async function headOf(app: TestApp): Promise<ChainPlace> {
  const chain = await readChain(databaseOf(app));
  if (!chain) throw new Error('there is no chain');
  return chain.head;
}

/** The same, and it stays. */
export async function asOwner(app: TestApp, statement: RawBuilder<unknown>): Promise<void> {
  await databaseOf(app).transaction(async (tx) => {
    await tx.query(sql`set local session_replication_role = replica`);
    await tx.query(statement);
  });
}

export async function userIdOf(app: TestApp, email: string): Promise<string> {
  const [row] = await databaseOf(app).query(sql<{ id: string }>`select id from users where email = ${email}`);
  if (!row) throw new Error('there is no such account');
  return row.id;
}

/** What would begin another line, or be obeyed by a terminal, and what PostgreSQL cannot store. */
export const NASTY = 'evil\r\n{"event":"login"}\u001b[2J\u009b31m\u2028\u2029\u0000\ud800 end';

export async function recordNasty(app: TestApp, email: string): Promise<void> {
  const userId = await userIdOf(app, email);
  const client = { ip: NASTY, userAgent: NASTY, requestId: NASTY };
  await service(app, Audit).record({ kind: 'passkey_renamed', userId, client, details: { name: NASTY } });
  await service(app, Audit).recordAttempt({ kind: 'login_failed', userId: null, email: NASTY, client });
}
