import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuditConfig } from '../../config/audit.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUDIT_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import type { Queries } from '../database/database.js';
import { OldRows } from '../sweep/old-rows.js';
import type { Sweep, Swept } from '../sweep/sweep.js';
import { Audit } from './audit.service.js';
import { lockChain } from './chain-head.js';
import { openChainKey } from './chain-key.js';
import { pruneProof } from './chain-link.js';

/** Counts of attempts: a minute is all that matters. */
export const oldAuditCounters = () =>
  new OldRows({
    table: 'audit_counters',
    key: ['kind', 'subject'],
    by: 'began_at',
    isOver: sql`began_at < now() - interval '2 minutes'`,
  });

const NOTHING: Swept = { count: 0, hasMore: false };

/** Deletes events whose time is over: the oldest of the chain, so that the rest can still be verified. */
@Injectable()
export class AuditRetention implements Sweep {
  readonly rows = 'audit_events';
  /** Each batch is an event of its own. */
  readonly every = 3_600;

  constructor(
    private readonly audit: Audit,
    @Inject(AUDIT_CONFIG) private readonly config: AuditConfig,
    @Inject(AUTH_CONFIG) private readonly auth: Pick<AuthConfig, 'AUTH_SECRETS'>,
  ) {}

  /** @throws ChainKeyDoesNotFit */
  async batch(tx: Queries, limit: number): Promise<Swept> {
    const chain = await lockChain(tx);
    if (!chain) return NOTHING;
    const { seq: first } = chain.first;
    const oldest = await tx.query(
      sql<{ seq: string; hash: Uint8Array; is_over: boolean }>`select seq::text as seq, hash,
          at < now() - make_interval(secs => ${this.config.AUDIT_RETENTION}) as is_over
        from audit_events where audit_events.seq > ${first.toString()}::bigint order by audit_events.seq limit ${limit}`,
    );
    const end = oldest.findIndex(({ is_over }) => !is_over);
    const over = end === -1 ? oldest : oldest.slice(0, end);
    const last = over.at(-1);
    if (!last) return NOTHING;
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
    return { count: over.length, hasMore: over.length >= limit };
  }
}
