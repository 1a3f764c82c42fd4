import { Injectable } from '@nestjs/common';
import { Containment } from '../../auth/containment/containment.service.js';
import type { ReasonOf } from '../../auth/containment/containment.table.js';
import { removeFactors } from '../../auth/factors/remove-factors.js';
import { removeKnownDevices } from '../../auth/lockout/known-devices.service.js';
import type { Queries } from '../../platform/database/database.js';
import type { LockedAccount } from '../../users/account-lock.js';
import { clearUnverifiedProfile, markEmailVerified } from '../../users/user-writes.js';

/**
 * Accounts and the owners of their addresses. An attacker can create an account with the address of another user and
 * wait: once the owner proves the address, nothing from before may still give access (GHSA-qq9h-g4jm-xgf3).
 */
@Injectable()
export class AccountClaims {
  constructor(private readonly containment: Containment) {}

  /** Marks the address of a locked account as proved, and revokes the links that would prove it again. */
  async prove(tx: Queries, account: LockedAccount): Promise<void> {
    await markEmailVerified(tx, account.id);
    await this.containment.contain(tx, 'address_proved', { account, sessionId: null });
  }

  /**
   * Gives a locked account with an unproved address to the owner of the address: sessions and links end; factors,
   * known devices and the name are removed.
   *
   * @returns whether there were factors.
   */
  async claim(tx: Queries, account: LockedAccount, reason: ReasonOf<'account_claimed'>): Promise<boolean> {
    const { id } = account;
    await this.containment.contain(tx, 'account_claimed', { account, sessionId: null, reason });
    const hadFactors = await removeFactors(tx, id);
    await removeKnownDevices(tx, id);
    await clearUnverifiedProfile(tx, id);
    return hadFactors;
  }
}
