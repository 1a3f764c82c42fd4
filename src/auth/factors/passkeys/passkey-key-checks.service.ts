import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Audit } from '../../../audit/audit.service.js';
import { Outbox } from '../../../mail/outbox.service.js';
import type { Columns } from '../../../platform/database/columns.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import { NOW } from '../../../platform/database/sql-time.js';
import { LOGGER } from '../../../platform/logging/logger.js';
import type { UsersTables } from '../../../users/users.tables.js';
import type { FactorsTables } from '../factors.tables.js';
import { type KeyFlaw, keyFlawOf } from './cose-key.js';

/** Passkeys of one transaction. */
const BATCH = 200;

type Unchecked = Columns<FactorsTables, 'passkeys', 'id' | 'user_id' | 'name' | 'public_key'> &
  Columns<UsersTables, 'users', 'email'>;

/**
 * Checks the keys of passkeys that were stored before keys were checked at registration: each once, at a start. Flawed
 * keys stay as records, but do not sign in any more; their owners are notified.
 */
@Injectable()
export class PasskeyKeyChecks implements OnApplicationBootstrap, OnModuleDestroy {
  private running = Promise.resolve();
  private isStopping = false;

  constructor(
    private readonly database: Database,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    // In the background: until it ends, each use of a passkey checks its key.
    this.running = this.checkAll().catch((error: unknown) =>
      this.logger.warn({ event: 'passkeys_not_checked', err: error }),
    );
  }

  onModuleDestroy(): Promise<void> {
    this.isStopping = true;
    return this.running;
  }

  private async checkAll(): Promise<void> {
    let [checked, disabled] = [0, 0];
    let batch: Unchecked[] = [];
    do {
      const { rows, flawed } = await this.database.transaction((tx) => this.checkBatch(tx));
      for (const { row, flaw } of flawed)
        this.logger.warn({ event: 'passkey_disabled', user: row.user_id, passkey: row.id, reason: flaw });
      batch = rows;
      checked += rows.length;
      disabled += flawed.length;
    } while (batch.length === BATCH && !this.isStopping);
    if (checked > 0) this.logger.info({ event: 'passkeys_checked', checked, disabled });
  }

  private async checkBatch(tx: Queries) {
    // Rows that another node checks are skipped.
    const rows = await tx.query(
      sql<Unchecked>`select p.id, p.user_id, p.name, p.public_key, u.email
        from passkeys p join users u on u.id = p.user_id
        where p.key_checked_at is null order by p.id limit ${BATCH} for update of p skip locked`,
    );
    const flawed = rows.flatMap((row) => {
      const flaw = keyFlawOf(row.public_key);
      return flaw ? [{ row, flaw }] : [];
    });
    if (rows.length > 0) {
      await tx
        .of<FactorsTables>()
        .updateTable('passkeys')
        .set({ key_checked_at: NOW })
        .where(
          'id',
          'in',
          rows.map(({ id }) => id),
        )
        .execute();
    }
    for (const { row, flaw } of flawed) await this.disable(tx, row, flaw);
    return { rows, flawed };
  }

  private async disable(tx: Queries, { id, user_id, name, email }: Unchecked, flaw: KeyFlaw): Promise<void> {
    const kind = 'passkey_disabled';
    await tx
      .of<FactorsTables>()
      .updateTable('passkeys')
      .set({ key_flaw: flaw })
      .where('id', '=', id)
      .execute();
    const details = { passkey: id, reason: flaw };
    await this.audit.record({ kind, userId: user_id, actor: 'system', details }, tx);
    await this.outbox.add(tx, { kind, userId: user_id, recipient: email, params: { name } });
  }
}
