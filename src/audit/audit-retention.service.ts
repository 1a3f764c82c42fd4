import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { AuditConfig } from '../../config/audit.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { AUDIT_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import type { Queries } from '../platform/database/database.js';
import { NOW, secondsAgo } from '../platform/database/sql-time.js';
import { ExpiredRows } from '../platform/retention/expired-rows.js';
import type { Purge, PurgedBatch } from '../platform/retention/purge.js';
import { Audit } from './audit.service.js';
import type { AuditTables } from './audit.tables.js';
import { lockChain } from './chain-head.js';
import { openChainKey } from './chain-key.js';
import { pruneProof } from './chain-link.js';

/** Counters of attempts expire after their minute. */
export const expiredAuditCounters = () =>
  new ExpiredRows<AuditTables>({
    table: 'audit_counters',
    key: ['kind', 'subject'],
    by: 'began_at',
    isOver: sql`began_at < now() - interval '2 minutes'`,
  });

const NOTHING: PurgedBatch = { count: 0, hasMore: false };

/** Deletes the oldest events of the chain after AUDIT_RETENTION, so that the rest can still be verified. */
@Injectable()
export class AuditRetention implements Purge {
  readonly rows = 'audit_events';
  /** Each batch records an event, so batches are rare. */
  readonly every = 3_600;

  constructor(
    private readonly audit: Audit,
    @Inject(AUDIT_CONFIG) private readonly config: AuditConfig,
    @Inject(AUTH_CONFIG) private readonly auth: Pick<AuthConfig, 'AUTH_SECRETS'>,
  ) {}

  /** @throws ChainKeyDoesNotFit */
  async batch(tx: Queries, limit: number): Promise<PurgedBatch> {
    const chain = await lockChain(tx);
    if (!chain) return NOTHING;
    const { seq: first } = chain.first;
    const trail = tx.of<AuditTables>();
    const oldest = await trail
      .selectFrom('audit_events')
      .select((event) => [
        event.ref('seq').$notNull().as('seq'),
        event.ref('hash').$notNull().as('hash'),
        event('at', '<', secondsAgo(this.config.AUDIT_RETENTION)).as('is_over'),
      ])
      .where('seq', '>', Number(first))
      .orderBy('seq')
      .limit(limit)
      .execute();
    const end = oldest.findIndex(({ is_over }) => !is_over);
    const over = end === -1 ? oldest : oldest.slice(0, end);
    const last = over.at(-1);
    if (!last) return NOTHING;
    const { seq, hash } = last;
    const proof = pruneProof(openChainKey(this.auth.AUTH_SECRETS, chain.sealedKey), BigInt(seq), hash);
    await tx.query(sql`select set_config('traffy.audit_retention', 'on', true)`);
    await trail.deleteFrom('audit_events').where('seq', '>', Number(first)).where('seq', '<=', seq).execute();
    await tx.query(sql`select set_config('traffy.audit_retention', 'off', true)`);
    await trail
      .updateTable('audit_chain')
      .set({ first_seq: seq, first_hash: hash, updated_at: NOW })
      .execute();
    // The chain records where it begins, so that an unrecorded deletion is detected.
    await this.audit.record(
      {
        kind: 'audit_pruned',
        userId: null,
        actor: 'system',
        details: { through: String(seq), events: over.length, proof },
      },
      tx,
    );
    return { count: over.length, hasMore: over.length >= limit };
  }
}
