import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { recordEvent } from '../audit/audit.service.js';
import { Database, type Queries } from '../platform/database/database.js';
import { NOW, secondsAgo } from '../platform/database/sql-time.js';
import { ExpiredRows } from '../platform/retention/expired-rows.js';
import type { ClusterTables } from './cluster.tables.js';
import type { LiveNode, ServingNode } from './serving-node.js';
import { StepRefused } from './step-refused.js';
import { fits, type StrategyValue, textOf } from './strategy-steps.js';

/** Seconds after which a silent node does not count. */
const SILENT_AFTER = 30;

/** Key of the advisory lock of registration: any number, the same in every version. */
const JOIN_LOCK = 7_236_339_203;

/**
 * What to do with a node whose AUTH_STRATEGY is incompatible with the running nodes: refuse its start, or start
 * anyway.
 */
export type IncompatiblePolicy = 'refuse' | 'force';

/** Nodes that stopped without unregistering. */
export const expiredNodes = () =>
  new ExpiredRows<ClusterTables>({
    table: 'nodes',
    key: ['id'],
    by: 'seen_at',
    isOver: sql`seen_at < now() - interval '1 day'`,
  });

/** The running nodes, as they last reported, by the database's clock. */
@Injectable()
export class NodeRegistry {
  constructor(private readonly database: Database) {}

  /** Returns the running nodes, the longest running first. */
  async listLive(queries: Queries = this.database): Promise<LiveNode[]> {
    const rows = await queries
      .of<ClusterTables>()
      .selectFrom('nodes')
      .select(['id', 'strategy', 'audience', 'host', 'port', 'pid', 'version'])
      .select(['public_url as publicUrl', 'started_at as startedAt', 'seen_at as seenAt'])
      .where('seen_at', '>', secondsAgo(SILENT_AFTER))
      .orderBy('started_at')
      .orderBy('id')
      .execute();
    return rows.map((row) => ({ ...row, strategy: row.strategy.split(',') }));
  }

  /**
   * Registers a node that is about to serve. Concurrent starts are serialised, so that two incompatible nodes cannot
   * both register.
   *
   * @returns the nodes that run already; with `force`, also incompatible ones.
   * @throws StepRefused
   */
  join(node: ServingNode, policy: IncompatiblePolicy): Promise<LiveNode[]> {
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

  /**
   * Changes the value of a node that serves, in its row and in its memory.
   *
   * @param node as it serves now; it counts as running, because its clients hold what it issued.
   * @param switchTo puts the value into force. It runs before the commit, while no other node can join: those that run
   * fit both values, so that its effect is safe even if the commit fails.
   * @throws StepRefused
   */
  change(node: ServingNode, to: StrategyValue, switchTo: () => void): Promise<LiveNode[]> {
    return this.database.transaction(async (tx) => {
      await tx.query(sql`select pg_advisory_xact_lock(${JOIN_LOCK})`);
      const others = (await this.listLive(tx)).filter(({ id }) => id !== node.id);
      const running = [node, ...others];
      if (!running.every((other) => fits(to, other.strategy))) throw new StepRefused(to, running);
      const changed = { ...node, strategy: to };
      await this.renew(changed, tx);
      await recordStart(tx, changed, others);
      switchTo();
      return others;
    });
  }

  /** Renews the registration of a node, also if its row is gone. */
  async renew(
    { id, strategy, publicUrl, audience, host, port, pid, version }: ServingNode,
    queries: Queries = this.database,
  ): Promise<void> {
    await queries
      .of<ClusterTables>()
      .insertInto('nodes')
      .values({
        id,
        strategy: textOf(strategy),
        public_url: publicUrl,
        audience,
        host,
        port,
        pid,
        version,
      })
      .onConflict((conflict) =>
        conflict.column('id').doUpdateSet({ seen_at: NOW, strategy: textOf(strategy) }),
      )
      .execute();
  }

  /** Unregisters a node that stops. */
  async leave(id: string): Promise<void> {
    await this.database.of<ClusterTables>().deleteFrom('nodes').where('id', '=', id).execute();
  }
}

/** A further node with a running value is no change. */
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
