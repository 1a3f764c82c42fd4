import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database, type Queries } from '../platform/database/database.js';
import { NOW } from '../platform/database/sql-time.js';
import type { AuditTables } from './audit.tables.js';
import { lockChain, type StoredChain } from './chain-head.js';
import { beginChain, openChainKey } from './chain-key.js';
import { CHAINED_COLUMNS, type ChainedEvent, linkHash } from './chain-link.js';

/** Events that are sealed in one transaction. */
const BATCH = 500;

/** Sets the place of committed events in the chain. Recording never waits for it; docs/adr/0018 has the reasons. */
@Injectable()
export class AuditSealer {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: Pick<AuthConfig, 'AUTH_SECRETS'>,
  ) {}

  /**
   * Seals all events whose transactions cannot be preceded any more by an older one. One node works at a time; others
   * return.
   *
   * @returns the number of events sealed by this call.
   * @throws ChainKeyDoesNotFit
   */
  async seal(): Promise<number> {
    let sealed = 0;
    for (;;) {
      if (!(await this.isDue())) return sealed;
      const inBatch = await this.database.transaction((tx) => this.sealBatch(tx));
      sealed += inBatch ?? 0;
      if (inBatch === null || inBatch < BATCH) return sealed;
    }
  }

  private async isDue(): Promise<boolean> {
    const row = await this.database
      .of<AuditTables>()
      .selectNoFrom(({ exists, selectFrom }) => [
        exists(selectFrom('audit_events').select('id').where('seq', 'is', null)).as('is_due'),
        exists(selectFrom('audit_chain').select('one')).as('has_chain'),
      ])
      .executeTakeFirstOrThrow();
    if (row.is_due && !row.has_chain) await beginChain(this.database, this.config.AUTH_SECRETS);
    return Boolean(row.is_due);
  }

  /** @returns null if another node is sealing. */
  private async sealBatch(tx: Queries): Promise<number | null> {
    const chain = await lockChain(tx);
    if (!chain) return null;
    const key = openChainKey(this.config.AUTH_SECRETS, chain.sealedKey);
    const events = await tx.query(
      // Every transaction below the oldest running one has ended and cannot add events. A number above the next
      // transaction comes from a restore from another server.
      sql<ChainedEvent>`select ${CHAINED_COLUMNS} from audit_events where seq is null
          and (xact < pg_snapshot_xmin(pg_current_snapshot())::text::bigint
            or xact >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)
        order by audit_events.xact, audit_events.id limit ${BATCH}`,
    );
    if (events.length === 0) return 0;
    await this.append(tx, chain, key, events);
    return events.length;
  }

  private async append(
    tx: Queries,
    { head }: StoredChain,
    key: Buffer,
    events: readonly ChainedEvent[],
  ): Promise<void> {
    let { seq, hash } = head;
    const hashes: string[] = [];
    for (const event of events) {
      seq += 1n;
      hash = linkHash(key, hash, seq, event);
      hashes.push(hash.toString('hex'));
    }
    const ids = events.map(({ id }) => id);
    const placed = await tx.query(
      sql`update audit_events e set seq = ${head.seq.toString()}::bigint + v.place, hash = decode(v.hash, 'hex')
          from unnest(${ids}::text[], ${hashes}::text[]) with ordinality as v(id, hash, place)
          where e.id = v.id::uuid and e.seq is null returning 1`,
    );
    if (placed.length !== events.length) throw new Error('another node sealed the events first');
    await tx
      .of<AuditTables>()
      .updateTable('audit_chain')
      .set({ head_seq: Number(seq), head_hash: hash, updated_at: NOW })
      .execute();
  }
}
