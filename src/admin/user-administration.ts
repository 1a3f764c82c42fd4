import type { Actor, Audit, NewAuditEvent } from '../audit/audit.service.js';
import type { Database, Queries } from '../platform/database/database.js';
import type { Role } from '../platform/http/access.decorators.js';
import type { Client } from '../platform/http/client.decorator.js';
import type { Outbox } from '../mail/outbox.service.js';
import { lockAccount, type LockedAccount } from '../users/account-lock.js';
import { clearGuesses } from '../auth/lockout/clear-guesses.js';
import { removeFactors } from '../auth/factors/remove-factors.js';
import type { Containment } from '../auth/containment/containment.service.js';
import {
  type AdministeredUser,
  findUser,
  type InspectedUser,
  listUsers,
  type UserQuery,
} from './administered-user.js';
import { lockOtherAdmins } from '../users/last-admin.js';
import { disableUser, enableUser, markPasswordCompromised, setRole } from '../users/user-writes.js';

/** The changes to make. */
export interface UserChange {
  readonly role?: Role;
  readonly state?: 'enabled' | 'disabled';
  /** `compromised`: the user must change it by a mailed link before the next sign-in. */
  readonly password?: 'compromised';
}

export type ChangeOutcome =
  | { readonly status: 'changed'; readonly user: InspectedUser }
  | { readonly status: 'not_found' | 'last_admin' };

/** The administrator or operator, and the client. */
export interface AdminActor {
  readonly actor: Actor;
  readonly client?: Client;
}

/** Seconds within which a mail with a reset link is still worth sending. */
const RESET_USEFUL_FOR = 3600;

/** Actions of administrators on accounts, over HTTP and on the command line. */
export class UserAdministration {
  constructor(
    protected readonly database: Database,
    private readonly containment: Containment,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    /** SESSION_IDLE_TTL, in seconds. */
    private readonly idleTtl: number,
  ) {}

  /** The accounts that match a query. */
  list(query: UserQuery): Promise<AdministeredUser[]> {
    return listUsers(this.database, query, this.idleTtl);
  }

  /** The account with this id and its locks; null if it does not exist. */
  find(id: string, queries: Queries = this.database): Promise<InspectedUser | null> {
    return findUser(queries, id, this.idleTtl);
  }

  /**
   * Changes an account in one transaction. An account that is disabled, or whose password is marked as compromised,
   * loses all sessions. At least one administrator who can sign in always remains.
   */
  async change(id: string, change: UserChange, actor: AdminActor): Promise<ChangeOutcome> {
    return this.database.transaction((tx) => this.changeIn(tx, id, change, actor));
  }

  /**
   * Removes all second factors of a user who lost them, and ends the user's sessions; false if the account does not
   * exist.
   */
  async removeFactors(id: string, actor: AdminActor): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const account = await lockAccount(tx, id);
      if (!account) return false;
      await removeFactors(tx, id);
      await this.containment.contain(tx, 'factors_reset', { account, sessionId: null });
      const hasPassword = account.passwordHash !== null && !account.isPasswordCompromised;
      await this.outbox.add(tx, {
        kind: 'sign_in_reset',
        userId: id,
        recipient: account.email,
        params: { password: hasPassword ? 'kept' : 'none' },
      });
      await this.record(tx, { kind: 'user_reset', userId: id, details: { factors: 'removed' } }, actor);
      return true;
    });
  }

  /**
   * Deletes all guess counters of an account: its locks end immediately, and the password stays.
   *
   * @returns whether there were any; null if the account does not exist.
   */
  async unlock(id: string, actor: AdminActor): Promise<boolean | null> {
    return this.database.transaction(async (tx) => {
      const account = await lockAccount(tx, id);
      if (!account) return null;
      const counters = await clearGuesses(tx, account.emailCanonical, 'all');
      if (counters === 0) return false;
      await this.record(tx, { kind: 'user_unlocked', userId: id }, actor);
      return true;
    });
  }

  /** `change` in a transaction of the caller. */
  protected async changeIn(
    tx: Queries,
    id: string,
    change: UserChange,
    actor: AdminActor,
  ): Promise<ChangeOutcome> {
    const takesAway = change.role === 'user' || change.state === 'disabled';
    const others = takesAway ? await lockOtherAdmins(tx, id) : 0;
    const account = await lockAccount(tx, id);
    if (!account) return { status: 'not_found' };
    const wasAdmin = account.role === 'admin' && !account.isDisabled;
    if (takesAway && wasAdmin && others === 0) return { status: 'last_admin' };
    if (change.role !== undefined && change.role !== account.role)
      await this.changeRole(tx, account, change.role, actor);
    if (change.state === 'disabled' && !account.isDisabled) await this.disable(tx, account, actor);
    if (change.state === 'enabled' && account.isDisabled) {
      await enableUser(tx, id);
      await this.record(tx, { kind: 'user_enabled', userId: id }, actor);
    }
    if (change.password === 'compromised') await this.markCompromised(tx, account, actor);
    const user = await this.find(id, tx);
    return user ? { status: 'changed', user } : { status: 'not_found' };
  }

  private async changeRole(
    tx: Queries,
    account: LockedAccount,
    role: Role,
    actor: AdminActor,
  ): Promise<void> {
    const { id } = account;
    await setRole(tx, id, role);
    await this.containment.contain(tx, 'role_changed', { account, sessionId: null });
    await this.record(tx, { kind: 'user_role_changed', userId: id, details: { role } }, actor);
  }

  private async disable(tx: Queries, account: LockedAccount, actor: AdminActor): Promise<void> {
    const { id } = account;
    await disableUser(tx, id);
    await this.containment.contain(tx, 'account_disabled', { account, sessionId: null });
    await this.record(tx, { kind: 'user_disabled', userId: id }, actor);
  }

  private async markCompromised(tx: Queries, account: LockedAccount, actor: AdminActor): Promise<void> {
    const { id, emailCanonical } = account;
    await markPasswordCompromised(tx, id);
    await this.containment.contain(tx, 'account_compromised', { account, sessionId: null });
    await this.outbox.add(tx, {
      kind: 'reset_password',
      userId: null,
      recipient: emailCanonical,
      params: { by: 'admin' },
      usefulFor: RESET_USEFUL_FOR,
    });
    await this.record(tx, { kind: 'user_reset', userId: id }, actor);
    await this.record(tx, { kind: 'password_reset_requested', userId: id }, actor);
  }

  private record(
    tx: Queries,
    event: Pick<NewAuditEvent, 'kind' | 'userId' | 'details'>,
    { actor, client }: AdminActor,
  ): Promise<void> {
    return this.audit.record({ ...event, actor, ...(client && { client }) }, tx);
  }
}
