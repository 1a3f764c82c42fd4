import { Inject, Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { Audit } from '../../../audit/audit.service.js';
import { Outbox } from '../../../mail/outbox.service.js';
import type { Columns } from '../../../platform/database/columns.js';
import type { Queries } from '../../../platform/database/database.js';
import type { Client } from '../../../platform/http/client.decorator.js';
import { LOGGER } from '../../../platform/logging/logger.js';
import type { UsersTables } from '../../../users/users.tables.js';
import type { FactorsTables } from '../factors.tables.js';
import type { StoredPasskey } from './passkey-rows.js';

/** What a passkey reported with a valid signature. */
export interface PasskeyUse {
  readonly passkey: Pick<StoredPasskey, 'id' | 'userId' | 'signCount' | 'isBackupEligible'>;
  readonly signCount: number;
  readonly isBackupEligible: boolean;
  readonly isBackedUp: boolean;
  readonly client: Client;
}

/** How a use contradicts an earlier one: backup eligibility was lost, or the counter did not increase. */
export type UseContradiction = 'backup_state' | 'counter';

type Noted = Columns<UsersTables, 'users', 'email'> &
  Columns<FactorsTables, 'passkeys', 'name'> & { readonly was_eligible: boolean };

/**
 * Compares a use with the record of the passkey (WebAuthn Level 3 §7.2); null if it does not contradict it.
 *
 * A passkey can become eligible for backup: password managers and platforms report it once synchronisation is on. It
 * cannot lose that: a copy may exist.
 */
export function contradictionOf(use: PasskeyUse): UseContradiction | null {
  const { passkey, signCount, isBackupEligible } = use;
  if (passkey.isBackupEligible && !isBackupEligible) return 'backup_state';
  // Counters only increase; authenticators without one always send 0.
  const isNewer = signCount > passkey.signCount || (signCount === 0 && passkey.signCount === 0);
  return isNewer ? null : 'counter';
}

/** Records the uses of passkeys, and the uses that contradict earlier ones. */
@Injectable()
export class PasskeyUses {
  constructor(
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Records a use in the transaction that accepts the proof, under the lock of the account row. The owner is notified
   * of a passkey that became eligible for backup.
   *
   * @returns false if the passkey was removed or used since the check. Commit anyway: the transaction contains the
   * record of a contradiction.
   */
  async note(tx: Queries, use: PasskeyUse): Promise<boolean> {
    const { passkey, signCount, isBackupEligible, isBackedUp } = use;
    const [noted] = await tx.query(
      sql<Noted>`update passkeys p set sign_count = ${signCount}::bigint, is_backed_up = ${isBackedUp}::boolean,
            is_backup_eligible = ${isBackupEligible}::boolean, last_used_at = now()
          from passkeys before join users u on u.id = before.user_id
          where p.id = ${passkey.id} and p.user_id = ${passkey.userId} and before.id = p.id and p.key_flaw is null
            and (${isBackupEligible}::boolean or not p.is_backup_eligible)
            and (p.sign_count < ${signCount}::bigint or (p.sign_count = 0 and ${signCount}::bigint = 0))
          returning u.email, p.name, before.is_backup_eligible as was_eligible`,
    );
    if (noted) {
      if (isBackupEligible && !noted.was_eligible) await this.reportBackup(tx, use, noted);
      return true;
    }
    const now = await tx
      .of<FactorsTables>()
      .selectFrom('passkeys')
      .select(['sign_count as signCount', 'is_backup_eligible as isBackupEligible'])
      .where('id', '=', passkey.id)
      .executeTakeFirst();
    const current = { ...use, passkey: { ...passkey, ...now } };
    const contradiction = now ? contradictionOf(current) : null;
    if (contradiction) await this.recordContradiction(tx, current, contradiction);
    return false;
  }

  /** Records a validly signed use that contradicts an earlier one: the key may have been copied (§6.1.1). */
  async recordContradiction(queries: Queries, use: PasskeyUse, reason: UseContradiction): Promise<void> {
    const { passkey, client } = use;
    const { id, userId } = passkey;
    const isCounter = reason === 'counter';
    const kind = isCounter ? 'passkey_suspicious' : 'passkey_backup_refused';
    const counters = { stored: passkey.signCount, shown: use.signCount };
    const details = { passkey: id, ...(isCounter ? counters : { reason }) };
    await this.audit.record({ kind, userId, client, details }, queries);
    const { requestId: request_id, ip } = client;
    this.logger.warn({ event: kind, request_id, ip, user: userId, ...details });
  }

  private async reportBackup(
    tx: Queries,
    { passkey: { id, userId }, client }: PasskeyUse,
    { email, name }: Noted,
  ): Promise<void> {
    const kind = 'passkey_backup_enabled';
    await this.audit.record({ kind, userId, client, details: { passkey: id } }, tx);
    const params = { name, ip: client.ip, user_agent: client.userAgent ?? '' };
    await this.outbox.add(tx, { kind, userId, recipient: email, params });
  }
}
