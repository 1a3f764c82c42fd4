import { Injectable } from '@nestjs/common';
import { Audit } from '../../audit/audit.service.js';
import { Containment } from '../../auth/containment/containment.service.js';
import { Outbox } from '../../mail/outbox.service.js';
import { Database, type Queries } from '../../platform/database/database.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { SecurityLog } from '../../platform/logging/security-log.service.js';
import { lockAccount } from '../../users/account-lock.js';
import { OneTimeTokens } from '../../users/one-time-tokens/one-time-tokens.service.js';
import { origin } from '../../users/one-time-tokens/token-mails.service.js';
import { PasswordChanges } from '../../users/passwords/password-changes.service.js';
import type { WeakPassword } from '../../users/passwords/password-policy.service.js';
import { AccountClaims } from './account-claims.service.js';

export type ResetOutcome =
  | { readonly status: 'reset' }
  | { readonly status: 'token_invalid' }
  | { readonly status: 'weak_password'; readonly weak: WeakPassword };

/** Password reset by a mailed link. */
@Injectable()
export class PasswordReset {
  constructor(
    private readonly database: Database,
    private readonly tokens: OneTimeTokens,
    private readonly passwords: PasswordChanges,
    private readonly claims: AccountClaims,
    private readonly containment: Containment,
    private readonly audit: Audit,
    private readonly outbox: Outbox,
    private readonly log: SecurityLog,
  ) {}

  /**
   * Activates a new password and ends all sessions. Does not sign in. If the address of the account was verified
   * before, its second factors stay (E5). Otherwise everything that an attacker may have added is removed (E9).
   *
   * @throws Overloaded, BreachCheckUnavailable
   */
  async reset(token: string, password: string, client: Client): Promise<ResetOutcome> {
    const grant = await this.tokens.look(token);
    if (grant?.purpose !== 'reset_password') return { status: 'token_invalid' };
    // A refused password does not consume the token: its owner can try another one.
    const prepared = await this.passwords.prepare(grant.email, password);
    if ('weak' in prepared) return { status: 'weak_password', weak: prepared.weak };
    const { userId } = grant;
    const isReset = await this.database.transaction((tx) =>
      this.store(tx, token, userId, prepared.hash, client),
    );
    if (!isReset) return { status: 'token_invalid' };
    this.log.write('password_reset', client, { user: userId });
    return { status: 'reset' };
  }

  private async store(
    tx: Queries,
    token: string,
    userId: string,
    hash: string,
    client: Client,
  ): Promise<boolean> {
    const account = await lockAccount(tx, userId);
    if (!account || !(await this.tokens.consume(tx, token, 'reset_password'))) return false;
    const { isVerified } = account;
    const isStripped = !isVerified && (await this.claims.claim(tx, account, 'password_reset'));
    if (isVerified) await this.containment.contain(tx, 'password_reset', { account, sessionId: null });
    await this.claims.prove(tx, account);
    await this.passwords.store(tx, userId, hash);
    const details = { factors: isVerified ? 'kept' : 'removed' };
    await this.audit.record({ kind: 'password_reset', userId, client, details }, tx);
    if (!isVerified) await this.audit.record({ kind: 'email_verified', userId, client }, tx);
    await this.outbox.add(tx, {
      kind: 'password_changed',
      userId,
      recipient: account.email,
      params: { ...origin(client), ...(isStripped && { factors: 'removed' }) },
    });
    return true;
  }
}
