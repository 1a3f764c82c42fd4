import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuditConfig } from '../../config/audit.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUDIT_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database, type Queries } from '../database/database.js';
import { Audit } from './audit.service.js';
import { lockChain } from './chain-head.js';
import { openChainKey } from './chain-key.js';
import { pruneProof } from './chain-link.js';

/** Events that are deleted in one transaction. */
const BATCH = 5_000;

/** Deletes events whose time is over: the oldest of the chain, so that the rest can still be verified. */
@Injectable()
export class AuditRetention {
  constructor(
    private readonly database: Database,
    private readonly audit: Audit,
    @Inject(AUDIT_CONFIG) private readonly config: AuditConfig,
    @Inject(AUTH_CONFIG) private readonly auth: Pick<AuthConfig, 'AUTH_SECRETS'>,
  ) {}

  /**
   * @returns how many were deleted here.
   * @throws ChainKeyDoesNotFit
   */
  async prune(): Promise<number> {
    let pruned = 0;
    for (;;) {
      const inBatch = await this.database.transaction((tx) => this.pruneBatch(tx));
      pruned += inBatch;
      if (inBatch < BATCH) return pruned;
    }
  }

  private async pruneBatch(tx: Queries): Promise<number> {
    const chain = await lockChain(tx);
    if (!chain) return 0;
    const { seq: first } = chain.first;
    const oldest = await tx.query(
      sql<{ seq: string; hash: Uint8Array; is_over: boolean }>`select seq::text as seq, hash,
          at < now() - make_interval(secs => ${this.config.AUDIT_RETENTION}) as is_over
        from audit_events where audit_events.seq > ${first.toString()}::bigint order by audit_events.seq limit ${BATCH}`,
    );
    const end = oldest.findIndex(({ is_over }) => !is_over);
    const over = end === -1 ? oldest : oldest.slice(0, end);
    const last = over.at(-1);
    if (!last) return 0;
    const hash = Buffer.from(last.hash);
    const proof = pruneProof(openChainKey(this.auth.AUTH_SECRETS, chain.sealedKey), BigInt(last.seq), hash);
    await tx.query(sql`select set_config('traffy.audit_retention', 'on', true)`);
    await tx.query(
      sql`delete from audit_events where seq > ${first.toString()}::bigint and seq <= ${last.seq}::bigint`,
    );
    await tx.query(sql`select set_config('traffy.audit_retention', 'off', true)`);
    await tx.query(
      sql`update audit_chain set first_seq = ${last.seq}::bigint, first_hash = ${hash}, updated_at = now()
          where one = 1`,
    );
    // The chain itself says where it may begin: whoever cuts off more is found out.
    await this.audit.record(
      {
        kind: 'audit_pruned',
        userId: null,
        actor: 'system',
        details: { through: last.seq, events: over.length, proof },
      },
      tx,
    );
    return over.length;
  }

  /** Forgets what was counted of attempts: a minute is all that matters. */
  async forgetCounters(): Promise<void> {
    await this.database.query(
      sql`delete from audit_counters where (kind, subject) in (
            select kind, subject from audit_counters where began_at < now() - interval '2 minutes' limit 10000 for update skip locked)`,
    );
  }
}
