import { sql } from 'kysely';
import type { Actor, Audit } from '../../audit/audit.service.js';
import type { Database, Queries } from '../../database/database.js';
import type { Role } from '../../http/access.decorators.js';
import type { Client } from '../../http/client.decorator.js';
import type { Outbox } from '../../mail/outbox.service.js';
import { canonicalEmail } from '../../users/email.js';
import { withdrawAddressChanges } from '../../users/one-time-tokens/withdraw-address-changes.js';
import { forgetGuesses } from '../lockout/forget-guesses.js';
import { removeFactors } from '../mfa/remove-factors.js';
import type { RevocationReason } from '../sessions/sessions.service.js';
import {
  type AdministeredUser,
  findUser,
  type InspectedUser,
  listUsers,
  type UserQuery,
} from './administered-user.js';
import { lockOtherAdmins } from './last-admin.js';

/** What is to be changed. */
export interface UserChange {
  readonly role?: Role;
  readonly state?: 'enabled' | 'disabled';
  /** `compromised`: it must be changed by a link sent by mail before anything else. */
  readonly password?: 'compromised';
}

export type ChangeOutcome =
  | { readonly status: 'changed'; readonly user: InspectedUser }
  | { readonly status: 'not_found' | 'last_admin' };

/** Who does it, and from where. */
export interface Doer {
  readonly actor: Actor;
  readonly client?: Client;
}

/** How sessions are ended, and heard of, where this runs. */
export interface SessionEnding {
  revokeOfUser(userId: string, exceptId: null, reason: RevocationReason, tx: Queries): Promise<unknown>;
  /** Waits until this process knows what was committed, so that it believes nothing older. */
  catchUp(): Promise<void>;
}

/** Seconds for which a mail with a link to a new password is worth sending. */
const RESET_USEFUL_FOR = 3600;

/** What administrators do to accounts of others, over HTTP and on the command line alike. */
export class UserAdministration {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionEnding,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    /** SESSION_IDLE_TTL, in seconds. */
    private readonly idleTtl: number,
  ) {}

  /** The accounts that a query means. */
  list(query: UserQuery): Promise<AdministeredUser[]> {
    return listUsers(this.database, query, this.idleTtl);
  }

  /** The account with this id, with the locks on it; null if there is none. */
  find(id: string, queries: Queries = this.database): Promise<InspectedUser | null> {
    return findUser(queries, id, this.idleTtl);
  }

  /**
   * Changes an account in one transaction. Whoever is disabled, or whose password counts as known to others, loses all
   * sessions with it. There is always one administrator left who may sign in.
   */
  async change(id: string, change: UserChange, { actor, client }: Doer): Promise<ChangeOutcome> {
    return this.database.transaction(async (tx): Promise<ChangeOutcome> => {
      const takesAway = change.role === 'user' || change.state === 'disabled';
      const others = takesAway ? await lockOtherAdmins(tx, id) : 0;
      const [before] = await tx.query(
        sql<{
          email: string;
          role: Role;
          disabled_at: Date | string | null;
        }>`select email, role, disabled_at from users
          where id = ${id} for no key update`,
      );
      if (!before) return { status: 'not_found' };
      const wasAdmin = before.role === 'admin' && before.disabled_at === null;
      if (takesAway && wasAdmin && others === 0) return { status: 'last_admin' };
      const record = (
        kind:
          'user_role_changed' | 'user_disabled' | 'user_enabled' | 'user_reset' | 'password_reset_requested',
        role?: Role,
      ) =>
        this.audit.record(
          { kind, userId: id, actor, ...(client && { client }), ...(role && { details: { role } }) },
          tx,
        );
      if (change.role !== undefined && change.role !== before.role) {
        await tx.query(sql`update users set role = ${change.role}, updated_at = now() where id = ${id}`);
        await record('user_role_changed', change.role);
      }
      if (change.state === 'disabled' && before.disabled_at === null) {
        await tx.query(sql`update users set disabled_at = now(), updated_at = now() where id = ${id}`);
        await this.endEverything(tx, id, 'user_disabled');
        await record('user_disabled');
      }
      if (change.state === 'enabled' && before.disabled_at !== null) {
        await tx.query(sql`update users set disabled_at = null, updated_at = now() where id = ${id}`);
        await record('user_enabled');
      }
      if (change.password === 'compromised') {
        await tx.query(
          sql`update users set password_compromised_at = now(), updated_at = now() where id = ${id}`,
        );
        await forgetGuesses(tx, canonicalEmail(before.email) ?? before.email, 'all');
        await this.endEverything(tx, id, 'ended_by_admin');
        await this.outbox.add(tx, {
          kind: 'reset_password',
          userId: null,
          recipient: canonicalEmail(before.email),
          params: { by: 'admin' },
          usefulFor: RESET_USEFUL_FOR,
        });
        await record('user_reset');
        await record('password_reset_requested');
      }
      await tx.afterCommit(() => this.sessions.catchUp());
      const user = await this.find(id, tx);
      return user ? { status: 'changed', user } : { status: 'not_found' };
    });
  }

  /** Takes every second factor from somebody who lost them all, and ends their sessions; false if there is no such account. */
  async removeFactors(id: string, { actor, client }: Doer): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      const [user] = await tx.query(
        sql<{ email: string; has_password: boolean }>`select email,
            password_hash is not null and password_compromised_at is null as has_password
          from users where id = ${id} for no key update`,
      );
      if (!user) return false;
      await removeFactors(tx, id);
      await forgetGuesses(tx, canonicalEmail(user.email) ?? user.email, 'all');
      await this.endEverything(tx, id, 'ended_by_admin');
      await this.outbox.add(tx, {
        kind: 'sign_in_reset',
        userId: id,
        recipient: user.email,
        params: { password: user.has_password ? 'kept' : 'none' },
      });
      await this.audit.record(
        { kind: 'user_reset', userId: id, actor, ...(client && { client }), details: { factors: 'removed' } },
        tx,
      );
      return true;
    });
  }

  /**
   * Forgets all guesses at an account: whatever is locked opens at once, and the password stays.
   *
   * @returns whether there were any; null if there is no such account.
   */
  async unlock(id: string, { actor, client }: Doer): Promise<boolean | null> {
    return this.database.transaction(async (tx) => {
      const [user] = await tx.query(
        sql<{
          email_canonical: string;
        }>`select email_canonical from users where id = ${id} for no key update`,
      );
      if (!user) return null;
      const counters = await forgetGuesses(tx, user.email_canonical, 'all');
      if (counters === 0) return false;
      await this.audit.record({ kind: 'user_unlocked', userId: id, actor, ...(client && { client }) }, tx);
      return true;
    });
  }

  /** Ends sessions, sign-ins that are half done, and changes of address that are not confirmed. */
  private async endEverything(tx: Queries, id: string, reason: RevocationReason): Promise<void> {
    await this.sessions.revokeOfUser(id, null, reason, tx);
    await tx.query(sql`delete from mfa_challenges where user_id = ${id}`);
    await withdrawAddressChanges(tx, id, null);
  }
}
