import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { recordEvent } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import { OldRows } from '../../sweep/old-rows.js';
import type { LiveNode, ServingNode } from './serving-node.js';
import { StepRefused } from './step-refused.js';
import { fits, textOf } from './strategy-steps.js';

/** Seconds after which a node that says nothing does not count. */
export const SILENT_AFTER = 30;

/** Any number will do, as long as every version takes the same: nodes join one after the other. */
const JOIN_LOCK = 7_236_339_203;

/** What to do about a node whose value does not fit those that run: refuse its start, or let it start all the same. */
export type MisfitPolicy = 'refuse' | 'force';

interface NodeRow {
  id: string;
  strategy: string;
  public_url: string;
  audience: string;
  host: string;
  port: number | null;
  pid: number;
  version: string;
  started_at: Date | string;
  seen_at: Date | string;
}

/** Nodes that stopped without saying so. */
export const oldNodes = () =>
  new OldRows({
    table: 'nodes',
    key: ['id'],
    by: 'seen_at',
    isOver: sql`seen_at < now() - interval '1 day'`,
  });

/** Which processes serve on this database, as they last said, by the database's clock. */
@Injectable()
export class Nodes {
  constructor(private readonly database: Database) {}

  /** Those that count, the longest running first. */
  async listLive(queries: Queries = this.database): Promise<LiveNode[]> {
    const rows = await queries.query(
      sql<NodeRow>`select id, strategy, public_url, audience, host, port, pid, version, started_at, seen_at
        from nodes where seen_at > now() - make_interval(secs => ${SILENT_AFTER}) order by started_at, id`,
    );
    return rows.map(
      ({ strategy, public_url: publicUrl, started_at: startedAt, seen_at: seenAt, ...row }) => ({
        ...row,
        publicUrl,
        strategy: strategy.split(','),
        startedAt: new Date(startedAt),
        seenAt: new Date(seenAt),
      }),
    );
  }

  /**
   * Enters a node that is about to serve. Of nodes that start at once each sees those before it, so that two that do
   * not fit cannot slip past each other.
   *
   * @returns the nodes that run already; only if it was forced, some that it does not fit.
   * @throws StepRefused
   */
  join(node: ServingNode, policy: MisfitPolicy): Promise<LiveNode[]> {
    return this.database.transaction(async (tx) => {
      await tx.query(sql`select pg_advisory_xact_lock(${JOIN_LOCK})`);
      const running = await this.listLive(tx);
      const isFitting = running.every((other) => fits(node.strategy, other.strategy));
      if (!isFitting && policy === 'refuse') throw new StepRefused(node.strategy, running);
      await this.renew(node, tx);
      await recordStart(tx, node, running);
      return running;
    });
  }

  /** Says that a node still serves, also where its row has gone. */
  async renew(
    { id, strategy, publicUrl, audience, host, port, pid, version }: ServingNode,
    queries: Queries = this.database,
  ): Promise<void> {
    await queries.query(
      sql`insert into nodes (id, strategy, public_url, audience, host, port, pid, version)
          values (${id}, ${textOf(strategy)}, ${publicUrl}, ${audience}, ${host}, ${port}, ${pid}, ${version})
          on conflict (id) do update set seen_at = now()`,
    );
  }

  /** Takes out a node that stops. */
  async leave(id: string): Promise<void> {
    await this.database.query(sql`delete from nodes where id = ${id}`);
  }
}

/** One more node of what runs already is no change. */
async function recordStart(
  tx: Queries,
  { strategy, host, version }: ServingNode,
  running: readonly LiveNode[],
): Promise<void> {
  const value = textOf(strategy);
  if (running.some((other) => textOf(other.strategy) === value)) return;
  const details = { strategy: value, host, version };
  await recordEvent(tx, { kind: 'strategy_started', userId: null, actor: 'system', details });
}
