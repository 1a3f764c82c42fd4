import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import type { Queries } from '../../database/database.js';
import { OneTimeTokens } from '../../users/one-time-tokens/one-time-tokens.service.js';
import { withdrawAddressChanges } from '../../users/one-time-tokens/withdraw-address-changes.js';
import { removeFactors } from '../mfa/remove-factors.js';
import { type RevocationReason, SessionsService } from '../sessions/sessions.service.js';

/**
 * Accounts and those who own their addresses. Anybody can make an account with the address of somebody else, and wait: once
 * the owner proves the address, nothing that was there before may still open it (GHSA-qq9h-g4jm-xgf3).
 */
@Injectable()
export class AccountClaims {
  constructor(
    private readonly tokens: OneTimeTokens,
    private readonly sessions: SessionsService,
  ) {}

  /** Notes that the address of an account is proved. Links that would prove it once more go. */
  async prove(tx: Queries, userId: string): Promise<void> {
    await tx.query(
      sql`update users set email_verified_at = coalesce(email_verified_at, now()), updated_at = now() where id = ${userId}`,
    );
    await this.tokens.takeBack(tx, userId, 'verify_email');
  }

  /**
   * Ends the sessions of a person, the sign-ins that are half done, and takes back all links. The factors stay.
   *
   * @param exceptId the session that goes on; null for none.
   */
  async endEverything(
    tx: Queries,
    userId: string,
    exceptId: string | null,
    reason: RevocationReason,
  ): Promise<void> {
    await this.sessions.revokeOfUser(userId, exceptId, reason, tx);
    await tx.query(sql`delete from mfa_challenges where user_id = ${userId}`);
    await this.tokens.takeBack(tx, userId, 'any');
    await withdrawAddressChanges(tx, userId, null);
  }

  /**
   * `endEverything`, and the factors and the name go too: whose they are was never proved.
   *
   * @returns whether there were factors.
   */
  async takeOver(tx: Queries, userId: string, reason: RevocationReason): Promise<boolean> {
    await this.endEverything(tx, userId, null, reason);
    const hadFactors = await removeFactors(tx, userId);
    for (const table of ['known_devices', 'webauthn_challenges'])
      await tx.query(sql`delete from ${sql.table(table)} where user_id = ${userId}`);
    await tx.query(sql`update users set name = null, webauthn_handle = null where id = ${userId}`);
    return hadFactors;
  }
}
