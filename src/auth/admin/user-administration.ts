import { type RawBuilder, sql } from 'kysely';
import type { Actor, Audit } from '../../audit/audit.service.js';
import type { Database, Queries } from '../../database/database.js';
import type { Role } from '../../http/access.decorators.js';
import type { Client } from '../../http/client.decorator.js';
import type { Outbox } from '../../mail/outbox.service.js';
import { canonicalEmail } from '../../users/email.js';
import { withdrawAddressChanges } from '../../users/one-time-tokens/withdraw-address-changes.js';
import { forgetGuesses } from '../lockout/forget-guesses.js';
import type { RevocationReason } from '../sessions/sessions.service.js';
import { lockOtherAdmins } from './last-admin.js';

/** An account as an administrator sees it. */
export interface AdministeredUser {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: Role;
  readonly isEmailVerified: boolean;
  readonly disabledAt: Date | null;
  /** Since when the password counts as known to others, and opens nothing. */
  readonly passwordCompromisedAt: Date | null;
  readonly hasPassword: boolean;
  readonly hasTotp: boolean;
  readonly passkeys: number;
  readonly recoveryCodes: number;
  readonly liveSessions: number;
  readonly createdAt: Date;
}

/** Which accounts are listed, and from where on. */
export interface UserQuery {
  /** Of the canonical address, in any case. */
  readonly emailPrefix?: string;
  readonly role?: Role;
  readonly state?: 'enabled' | 'disabled';
  /** The id of the last one of the page before. */
  readonly after?: string;
  readonly limit: number;
}

/** What is to be changed. */
export interface UserChange {
  readonly role?: Role;
  readonly state?: 'enabled' | 'disabled';
  /** `compromised`: it must be changed by a link sent by mail before anything else. */
  readonly password?: 'compromised';
}

export type ChangeOutcome =
  | { readonly status: 'changed'; readonly user: AdministeredUser }
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

interface Row {
  id: string;
  email: string;
  name: string | null;
  role: Role;
  email_verified_at: Date | string | null;
  disabled_at: Date | string | null;
  password_compromised_at: Date | string | null;
  has_password: boolean;
  has_totp: boolean;
  passkeys: number | string;
  recovery_codes: number | string;
  live_sessions: number | string;
  created_at: Date | string;
}

/** What administrators do to accounts of others, over HTTP and on the command line alike. */
export class UserAdministration {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionEnding,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
  ) {}

  /** The accounts that a query means, by id: UUIDv7, so in the order in which they were made. */
  async list({ emailPrefix, role, state, after, limit }: UserQuery): Promise<AdministeredUser[]> {
    const conditions = [
      sql`true`,
      ...(emailPrefix === undefined ? [] : [sql`u.email_canonical like ${likePrefix(emailPrefix)}`]),
      ...(role === undefined ? [] : [sql`u.role = ${role}`]),
      ...(state === undefined ? [] : [sql`(u.disabled_at is null) = ${state === 'enabled'}`]),
      ...(after === undefined ? [] : [sql`u.id > ${after}::uuid`]),
    ];
    const rows = await this.database.query(
      sql<Row>`${SELECT} where ${sql.join(conditions, sql` and `)} order by u.id limit ${limit}`,
    );
    return rows.map(read);
  }

  /** The account with this id; null if there is none. */
  async find(id: string, queries: Queries = this.database): Promise<AdministeredUser | null> {
    const [row] = await queries.query(sql<Row>`${SELECT} where u.id = ${id}`);
    return row ? read(row) : null;
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
        kind: 'user_role_changed' | 'user_disabled' | 'user_enabled' | 'user_reset',
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
          usefulFor: RESET_USEFUL_FOR,
        });
        await record('user_reset');
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
        sql<{ email: string }>`select email from users where id = ${id} for no key update`,
      );
      if (!user) return false;
      for (const table of ['totp_authenticators', 'passkeys', 'recovery_codes'])
        await tx.query(sql`delete from ${sql.table(table)} where user_id = ${id}`);
      await forgetGuesses(tx, canonicalEmail(user.email) ?? user.email, 'all');
      await this.endEverything(tx, id, 'ended_by_admin');
      await this.outbox.add(tx, { kind: 'sign_in_reset', userId: id, recipient: user.email });
      await this.audit.record(
        { kind: 'user_reset', userId: id, actor, ...(client && { client }), details: { factors: 'removed' } },
        tx,
      );
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

const SELECT: RawBuilder<Row> = sql<Row>`select u.id, u.email, u.name, u.role, u.email_verified_at, u.disabled_at, u.password_compromised_at,
    u.password_hash is not null as has_password, u.created_at,
    exists (select 1 from totp_authenticators t where t.user_id = u.id and t.confirmed_at is not null) as has_totp,
    (select count(*) from passkeys p where p.user_id = u.id) as passkeys,
    (select count(*) from recovery_codes r where r.user_id = u.id) as recovery_codes,
    (select count(*) from sessions s where s.user_id = u.id and s.revoked_at is null and s.expires_at > now()) as live_sessions
  from users u`;

function read(row: Row): AdministeredUser {
  return {
    id: row.id,
    email: row.email,
    name: row.name,
    role: row.role,
    isEmailVerified: row.email_verified_at !== null,
    disabledAt: row.disabled_at === null ? null : new Date(row.disabled_at),
    passwordCompromisedAt:
      row.password_compromised_at === null ? null : new Date(row.password_compromised_at),
    hasPassword: row.has_password,
    hasTotp: row.has_totp,
    passkeys: Number(row.passkeys),
    recoveryCodes: Number(row.recovery_codes),
    liveSessions: Number(row.live_sessions),
    createdAt: new Date(row.created_at),
  };
}

/** A pattern for LIKE that takes the text literally. */
function likePrefix(prefix: string): string {
  return `${prefix.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`;
}
