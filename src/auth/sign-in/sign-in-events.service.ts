import { Injectable } from '@nestjs/common';
import { Audit } from '../../audit/audit.service.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { SecurityLog } from '../../platform/logging/security-log.service.js';
import type { SignedIn } from '../credentials/presented-sessions.service.js';

type Details = Readonly<Record<string, string>>;

/** A refused sign-in: reason, user and client. */
export interface FailedSignIn {
  /** Null if the attempt names no user. */
  readonly userId: string | null;
  /** The canonical address that was tried; null if there was none. */
  readonly email: string | null;
  readonly client: Client;
  /** For the audit trail and the log; e-mail addresses masked. */
  readonly details: Details;
}

/** Records the outcome of sign-ins in the audit trail and in the log. */
@Injectable()
export class SignInEvents {
  constructor(
    private readonly audit: Audit,
    private readonly log: SecurityLog,
  ) {}

  /** Logs a completed sign-in. Its audit event belongs to the transaction that created the session. */
  succeeded(
    { session: { userId: user, sessionId: session } }: SignedIn,
    client: Client,
    details: Details,
  ): void {
    this.log.write('login', client, { ...details, user, session });
  }

  /** Records a sign-in that needs a second factor. */
  async factorRequired(userId: string, client: Client): Promise<void> {
    await this.audit.record({ kind: 'login_mfa_required', userId, client });
    this.log.write('login_mfa_required', client, { user: userId });
  }

  /** Records a refused sign-in. */
  async failed({ userId, email, client, details }: FailedSignIn): Promise<void> {
    await this.audit.recordAttempt({ kind: 'login_failed', userId, email, client, details });
    this.log.write('login_failed', client, { ...details, user: userId });
  }
}
