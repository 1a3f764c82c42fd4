import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AuthConfig, StrategyName } from '../../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../../config/tokens.config.js';
import { Audit } from '../../../audit/audit.service.js';
import { Database, type Queries } from '../../../platform/database/database.js';
import type { Client } from '../../../platform/http/client.decorator.js';
import { LOGGER } from '../../../platform/logging/logger.js';
import { Unavailable } from '../../../platform/problems/overload.js';
import type { SignedIn } from '../presented-sessions.service.js';
import type { LiveSession } from '../../sessions/session-state.js';
import { SessionsService } from '../../sessions/sessions.service.js';
import type { AuthStrategy, DeadCredential, IssuedCredential, Transport } from '../auth.strategy.js';
import type { Authentication, Verdict } from '../authenticator.js';
import { StrategyRegistry } from '../strategy-registry.service.js';
import { deriveCredentialSecret, drawNonce } from './exchange-secret.js';
import {
  type Exchange,
  holds,
  type PendingExchange,
  PendingExchanges,
} from '../../sessions/pending-exchanges.service.js';

type LiveVerdict = Verdict & { readonly status: 'live' };

const NOTHING: IssuedCredential = { cookies: [], body: {} };

/** Exchanges a credential for one of the issuing strategy; the session stays. */
@Injectable()
export class ExchangeService {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly exchanges: PendingExchanges,
    private readonly strategies: StrategyRegistry,
    private readonly audit: Audit,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Issues a credential of the issuing strategy for the session of the request. Until it is used, repeated requests
   * get the same one on every node, and the old one stays live.
   *
   * @returns no credential for a caller that already has one of the issuing strategy, and the reason for a session
   * that ended since it was read.
   * @throws Unavailable if the exchange began under a secret that this node does not have (yet).
   */
  async exchange(
    { verdicts }: Authentication,
    session: LiveSession,
    transport: Transport,
    client: Client,
  ): Promise<SignedIn | DeadCredential> {
    const { sessionId, userId } = session;
    // Read once: the running strategy can change before the transaction begins.
    const { issuing } = this.strategies;
    const kind = issuing.name;
    const held = verdicts.flatMap((verdict) =>
      verdict.status === 'live' && verdict.session.sessionId === sessionId ? [verdict] : [],
    );
    const [from] = held;
    if (from === undefined || held.some((verdict) => verdict.kind === kind))
      return { session: { ...session, strategy: kind }, credential: NOTHING };
    const outcome = await this.database.transaction((tx) =>
      this.issue(tx, sessionId, issuing, from, transport, client),
    );
    if ('credential' in outcome) {
      const { requestId: request_id, ip } = client;
      this.logger.info({
        event: 'exchange',
        request_id,
        ip,
        user: userId,
        session: sessionId,
        from: from.kind,
        to: kind,
      });
    }
    return outcome;
  }

  /** Never issue from the cache: re-read the session row under its lock. */
  private async issue(
    tx: Queries,
    sessionId: string,
    issuing: AuthStrategy,
    { kind: from, credential }: LiveVerdict,
    transport: Transport,
    client: Client,
  ): Promise<SignedIn | DeadCredential> {
    const pending = await this.exchanges.lock(tx, sessionId);
    const found = await this.sessions.findById(sessionId, tx);
    if (found?.state !== 'live') return { reason: found?.state ?? 'revoked', action: 'login', sessionId };
    const isHeld =
      holds(found.session, from) && (await this.strategies.get(from).confirm(tx, found.session, credential));
    if (!isHeld) return { reason: 'invalid', action: 'login', sessionId };
    const exchange =
      pending?.kind === issuing.name && !pending.isOld
        ? pending
        : await this.begin(tx, found.session, { from, to: issuing.name }, pending, client);
    const secret = deriveCredentialSecret(this.config.AUTH_SECRETS, sessionId, exchange);
    // Another node has a newer secret; a retry may reach that node.
    if (!secret) throw new Unavailable('an exchange began under a secret that this node does not have');
    // Tokens revoked just now must not be mistaken for the new ones.
    const begun = await this.sessions.findById(sessionId, tx);
    if (begun?.state !== 'live') throw new Unavailable('the session ended while it was exchanged');
    return {
      session: { ...begun.session, strategy: issuing.name },
      credential: await issuing.issue(tx, begun.session, transport, secret),
    };
  }

  /** A pending exchange to another kind ends: if that kind was used, its old credential is dropped, else that kind. */
  private async begin(
    tx: Queries,
    { sessionId, userId }: LiveSession,
    { from, to }: { readonly from: StrategyName; readonly to: StrategyName },
    pending: PendingExchange | null,
    client: Client,
  ): Promise<Exchange> {
    if (pending) {
      const completed = await this.exchanges.complete(tx, [sessionId], from);
      // Never used: a client that requested it long ago must not share the credential that is issued now.
      if (completed.length === 0) await this.exchanges.end(tx, sessionId);
    }
    const exchange = { kind: to, nonce: drawNonce(this.config.AUTH_SECRETS, sessionId) };
    await this.exchanges.begin(tx, sessionId, exchange);
    await this.audit.record(
      { kind: 'credential_exchanged', userId, sessionId, client, details: { from, to } },
      tx,
    );
    return exchange;
  }
}
