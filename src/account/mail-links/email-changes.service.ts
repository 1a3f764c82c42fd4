import { Injectable, type OnModuleInit } from '@nestjs/common';
import { sql } from 'kysely';
import { Audit } from '../../audit/audit.service.js';
import type { Columns } from '../../platform/database/columns.js';
import { Database, type Queries } from '../../platform/database/database.js';
import { isUniqueViolation } from '../../platform/database/unique-violation.js';
import type { Client } from '../../platform/http/client.decorator.js';
import type { LiveAuthentication } from '../../auth/credentials/authenticator.js';
import { maskEmail } from '../../platform/logging/mask-email.js';
import { SecurityLog } from '../../platform/logging/security-log.service.js';
import { type ComposedMail, type MailJob, Outbox } from '../../mail/outbox.service.js';
import { lockAccount } from '../../users/account-lock.js';
import { requireCanonical } from '../../users/email.js';
import { changeEmail } from '../../users/user-writes.js';
import type { UsersTables } from '../../users/users.tables.js';
import { type Grant, OneTimeTokens } from '../../users/one-time-tokens/one-time-tokens.service.js';
import { isCutOff } from '../../auth/revocation/cut-off.js';
import { revokeTokens } from '../../users/one-time-tokens/revoke-tokens.js';
import { Containment } from '../../auth/containment/containment.service.js';
import { KEEPS_ADDRESS_CHANGES } from '../../auth/containment/containment.table.js';
import { ActorLock, type EndedActor, type LockedActor } from '../../auth/credentials/actor-lock.service.js';
import { origin, TokenMails } from '../../users/one-time-tokens/token-mails.service.js';

export type EmailChangeOutcome = 'changed' | 'token_invalid' | 'email_taken';

/** The result of a request for a new address. `accepted` also if a limit was reached and no mail is sent. */
export type EmailChangeRequestOutcome = { readonly status: 'accepted' } | EndedActor;

/** A new address for an account: nothing changes until the link sent there is used. */
@Injectable()
export class EmailChanges implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly tokens: OneTimeTokens,
    private readonly mails: TokenMails,
    private readonly actors: ActorLock,
    private readonly containment: Containment,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    private readonly log: SecurityLog,
  ) {}

  onModuleInit(): void {
    this.outbox.composeWith('change_email', (tx, job) => this.compose(tx, job));
  }

  /**
   * Sends a link to the new address and notifies the current one. A later request supersedes an earlier one
   * immediately.
   *
   * @param email an address that `canonicalEmail` accepts. Only the mail reveals whether it is taken.
   */
  async request(
    caller: LiveAuthentication,
    email: string,
    client: Client,
  ): Promise<EmailChangeRequestOutcome> {
    const outcome = await this.database.transaction(async (tx) => {
      const actor = await this.actors.lock(tx, caller);
      if (actor.status === 'ended') return actor;
      return this.ask(tx, actor, email, client);
    });
    if (outcome === 'asked') this.log.write('email_change_requested', client, { user: caller.live.userId });
    return typeof outcome === 'string' ? { status: 'accepted' } : outcome;
  }

  /** Activates the address that a token was sent to. All sessions end except the one that requested it. */
  async confirm(token: string, { userId }: Grant, client: Client): Promise<EmailChangeOutcome> {
    try {
      const isChanged = await this.database.transaction((tx) => this.change(tx, token, userId, client));
      if (isChanged) this.log.write('email_changed', client, { user: userId });
      return isChanged ? 'changed' : 'token_invalid';
    } catch (error) {
      if (isUniqueViolation(error)) return 'email_taken';
      throw error;
    }
  }

  private async ask(
    tx: Queries,
    { account, session: { userId, sessionId } }: LockedActor,
    email: string,
    client: Client,
  ): Promise<'asked' | 'too_many'> {
    // Read under the lock, so that the second of two requests has the later time.
    const [clock] = await tx.query(
      sql<{
        time: string;
      }>`select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US') as time`,
    );
    const holder = await holderOf(tx, email, userId);
    if (await this.mails.hadTooMany(tx, userId, 'email_change_requested')) return 'too_many';
    await revokeTokens(tx, userId, 'change_email');
    const askedAt = clock?.time ?? '';
    const asked = { ...origin(client), session: sessionId, asked_at: askedAt };
    await this.outbox.add(
      tx,
      holder
        ? { kind: 'signup_attempt', userId: holder.id, recipient: holder.email, params: origin(client) }
        : { kind: 'change_email', userId, recipient: email, params: asked },
    );
    await this.outbox.add(tx, {
      kind: 'email_change_requested',
      userId,
      recipient: account.email,
      params: { ...origin(client), new_email: maskEmail(email), asked_at: askedAt },
    });
    const details = { email: maskEmail(email) };
    await this.audit.record({ kind: 'email_change_requested', userId, sessionId, client, details }, tx);
    return 'asked';
  }

  private async change(tx: Queries, token: string, userId: string, client: Client): Promise<boolean> {
    const account = await lockAccount(tx, userId);
    const grant = account && (await this.tokens.consume(tx, token, 'change_email'));
    if (!grant || !(await this.isStillWanted(tx, grant))) return false;
    const { email, sessionId = null } = grant;
    await changeEmail(tx, userId, email);
    await this.containment.contain(tx, 'address_changed', { account, sessionId });
    const details = { from: maskEmail(account.email), to: maskEmail(email) };
    await this.audit.record({ kind: 'email_changed', userId, client, details }, tx);
    await this.outbox.add(tx, {
      kind: 'email_changed',
      userId,
      recipient: account.email,
      params: { ...origin(client), new_email: maskEmail(email) },
    });
    return true;
  }

  /** Whether the requesting session did not end in a way that also ends its requests. */
  private async isStillWanted(tx: Queries, { userId, sessionId }: Grant): Promise<boolean> {
    const rows = await tx.query(
      sql`select 1 from sessions s where s.id = ${sessionId ?? null} and s.user_id = ${userId} and not ${isCutOff}
          and (s.revoked_at is null or s.revoked_reason = any(${[...KEEPS_ADDRESS_CHANGES]}))`,
    );
    return rows.length === 1;
  }

  private async compose(tx: Queries, job: MailJob): Promise<ComposedMail | null> {
    const { userId, recipient } = job;
    if (userId === null || recipient === null) return null;
    const account = await lockAccount(tx, userId);
    const { session: sessionId = null, asked_at: askedAt = '' } = job.params;
    const grant: Grant = { purpose: 'change_email', userId, email: recipient, sessionId };
    if (!account || account.isDisabled || !(await this.isStillWanted(tx, grant))) return null;
    const later = await tx.query(
      sql`select 1 from outbox_mails where user_id = ${userId} and kind = 'email_change_requested' and params->>'asked_at' > ${askedAt}`,
    );
    if (later.length > 0) return null;
    // Another account has taken the address since: the link would be useless to its owner.
    if (await holderOf(tx, recipient, userId)) return null;
    const params = await this.mails.compose(tx, job, grant);
    return params && { recipient, params };
  }
}

/** The other account that has an address; undefined if no other has it. */
async function holderOf(
  tx: Queries,
  email: string,
  exceptId: string,
): Promise<Columns<UsersTables, 'users', 'id' | 'email'> | undefined> {
  return tx
    .of<UsersTables>()
    .selectFrom('users')
    .select(['id', 'email'])
    .where('email_canonical', '=', requireCanonical(email))
    .where('id', '<>', exceptId)
    .executeTakeFirst();
}
