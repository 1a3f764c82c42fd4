import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database, type Queries } from '../database/database.js';
import { lockChain, type StoredChain } from './chain-head.js';
import { beginChain, openChainKey } from './chain-key.js';
import { CHAINED_COLUMNS, type ChainedEvent, linkHash } from './chain-link.js';

/** Events that are sealed in one transaction. */
const BATCH = 500;

/**
 * Gives committed events their place in the chain. Whoever records does not wait for that, or for anybody else who
 * records; docs/adr/0018 has the reasons.
 */
@Injectable()
export class AuditSealer {
  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: Pick<AuthConfig, 'AUTH_SECRETS'>,
  ) {}

  /**
   * Seals all that can be: what was recorded by transactions that no older one can follow any more. Of many nodes at
   * once, one does it, and the others go away.
   *
   * @returns how many were sealed here.
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
    const [row] = await this.database.query(
      sql<{
        is_due: boolean;
        has_chain: boolean;
      }>`select exists (select 1 from audit_events where seq is null) as is_due,
        exists (select 1 from audit_chain) as has_chain`,
    );
    if (row?.is_due && !row.has_chain) await beginChain(this.database, this.config.AUTH_SECRETS);
    return row?.is_due ?? false;
  }

  /** @returns null where another node seals. */
  private async sealBatch(tx: Queries): Promise<number | null> {
    const chain = await lockChain(tx);
    if (!chain) return null;
    const key = openChainKey(this.config.AUTH_SECRETS, chain.sealedKey);
    const events = await tx.query(
      // Every transaction below the oldest that runs has ended: none can add an event before these any more. One that is
      // still to come wrote nothing here: what bears its number was restored from another server.
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
    if (placed.length !== events.length) throw new Error('events were sealed by somebody else meanwhile');
    await tx.query(
      sql`update audit_chain set head_seq = ${seq.toString()}::bigint, head_hash = ${hash}, updated_at = now() where one = 1`,
    );
  }
}
