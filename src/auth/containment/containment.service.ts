import { Inject, Injectable } from '@nestjs/common';
import type { Queries } from '../../platform/database/database.js';
import type { LockedAccount } from '../../users/account-lock.js';
import { revokeAddressChanges, revokeTokens } from '../../users/one-time-tokens/revoke-tokens.js';
import { revokeHalfSignIns } from '../assurance/mfa-challenges.service.js';
import { clearGuesses } from '../lockout/clear-guesses.js';
import { cutOff } from '../revocation/cut-off.js';
import { RevocationFeed } from '../revocation/revocation-feed.service.js';
import type { EndedSession } from '../sessions/ended-sessions.js';
import { PendingExchanges } from '../sessions/pending-exchanges.service.js';
import { type RevocationReason, revokeSessions } from '../sessions/session-revocation.js';
import type { Ends, Thing } from './cells.js';
import {
  type AccountCause,
  type Cause,
  containmentOf,
  type ReasonOf,
  type SessionCause,
} from './containment.table.js';

/** An account that the transaction has locked. */
interface AccountSubject<Reason> {
  readonly account: Pick<LockedAccount, 'id' | 'emailCanonical'>;
  /** The acting session, which stays if the cause ends only the others; null for none. */
  readonly sessionId: string | null;
  /** The reason in the rows of the ended sessions; by default the first reason of the cause. */
  readonly reason?: Reason;
}

/** Sessions to end, of one account or several. */
interface SessionSubject<Reason> {
  readonly sessionIds: readonly string[];
  readonly reason?: Reason;
}

export type SubjectOf<C extends Cause> = C extends SessionCause
  ? SessionSubject<ReasonOf<C>>
  : AccountSubject<ReasonOf<C>>;

/** Applies revocations to the cache of this process. A process that does not serve has no cache. */
export interface FeedReader {
  catchUp(): Promise<void>;
}

const TOKEN_PURPOSES = {
  all: 'all',
  reset_links: 'reset_password',
  verification_links: 'verify_email',
} as const;

/**
 * Ends what must end together on an event, as `CONTAINMENT` lists it. The command line constructs it without an
 * application.
 */
@Injectable()
export class Containment {
  constructor(
    @Inject(RevocationFeed) private readonly feed: FeedReader,
    private readonly exchanges: PendingExchanges,
  ) {}

  /**
   * Applies the row of a cause, in the transaction of the cause. If the acting session gets a new credential, issue
   * that first: it determines which credentials of an exchange the client holds.
   *
   * @returns the sessions that this call ended.
   */
  async contain<C extends AccountCause | SessionCause>(
    tx: Queries,
    cause: C,
    subject: SubjectOf<C>,
  ): Promise<EndedSession[]> {
    const { account, own, reason } = partsOf(subject);
    const ends = endsOf(cause);
    // Locks in one order to avoid deadlocks: sessions, half sign-ins, mails, tokens, counters.
    const ended = await endSessions(tx, ends.sessions, {
      userId: account?.id ?? null,
      own,
      reason: reason ?? containmentOf(cause).reasons[0],
    });
    if (account && ends.half_sign_ins === 'all') await revokeHalfSignIns(tx, account.id);
    await endAddressChanges(tx, ends.address_changes, { userId: account?.id ?? null, own, ended });
    if (account && ends.mailed_tokens !== 'none')
      await revokeTokens(tx, account.id, TOKEN_PURPOSES[ends.mailed_tokens]);
    if (ends.pending_exchanges === 'own')
      for (const sessionId of own) await this.exchanges.end(tx, sessionId);
    if (account && ends.guess_counters !== 'none')
      await clearGuesses(tx, account.emailCanonical, ends.guess_counters);
    // This node must know before the reply is sent; the feed brings it to the others.
    if (ends.remembered_credentials !== 'none' && (account || ended.length > 0))
      await tx.afterCommit(() => this.feed.catchUp());
    return ended;
  }

  /**
   * Applies `all_sessions_ended` to the sessions created before a time. One row revokes them, including those of
   * concurrent sign-ins that have not committed. Address changes requested in them are invalid too: `EmailChanges`
   * checks.
   *
   * @param userId the account; null for all accounts.
   * @param before now by default, and at the latest.
   */
  async containMadeBefore(tx: Queries, userId: string | null, before: Date | null = null): Promise<void> {
    await cutOff(tx, userId, before);
    if (endsOf('all_sessions_ended').half_sign_ins === 'all') await revokeHalfSignIns(tx, userId, before);
    await tx.afterCommit(() => this.feed.catchUp());
  }
}

interface Parts {
  readonly account: AccountSubject<never>['account'] | null;
  /** The acting or named sessions. */
  readonly own: readonly string[];
  readonly reason: RevocationReason | undefined;
}

function partsOf(subject: AccountSubject<RevocationReason> | SessionSubject<RevocationReason>): Parts {
  if ('sessionIds' in subject) return { account: null, own: subject.sessionIds, reason: subject.reason };
  const own = subject.sessionId === null ? [] : [subject.sessionId];
  return { account: subject.account, own, reason: subject.reason };
}

function endsOf(cause: Cause): Ends {
  const { ends } = containmentOf(cause);
  const values = Object.entries(ends).map(([thing, [value]]) => [thing as Thing, value]);
  return Object.fromEntries(values) as unknown as Ends;
}

async function endSessions(
  tx: Queries,
  scope: Ends['sessions'],
  {
    userId,
    own,
    reason,
  }: {
    readonly userId: string | null;
    readonly own: readonly string[];
    readonly reason: RevocationReason | undefined;
  },
): Promise<EndedSession[]> {
  if (scope === 'none' || reason === undefined) return [];
  if (scope === 'own') return revokeSessions(tx, { ids: own }, reason);
  if (userId === null) return [];
  const [exceptId = null] = scope === 'others' ? own : [];
  return revokeSessions(tx, { userId, exceptId }, reason);
}

async function endAddressChanges(
  tx: Queries,
  scope: Ends['address_changes'],
  {
    userId,
    own,
    ended,
  }: {
    readonly userId: string | null;
    readonly own: readonly string[];
    readonly ended: readonly EndedSession[];
  },
): Promise<void> {
  if (scope === 'own' && ended.length > 0) {
    const among = ended.map(({ sessionId }) => sessionId);
    await revokeAddressChanges(tx, [...new Set(ended.map((session) => session.userId))], { among });
  }
  if (userId === null) return;
  const [except] = scope === 'others' ? own : [];
  if (except !== undefined) await revokeAddressChanges(tx, [userId], { except });
  else if (scope === 'others' || scope === 'all') await revokeAddressChanges(tx, [userId], 'any');
}
