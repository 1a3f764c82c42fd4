import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AuthConfig, StrategyName } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Audit } from '../../audit/audit.service.js';
import { Database, type Queries } from '../../database/database.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import { Unavailable } from '../../problems/overload.js';
import type { SignedIn } from '../presented-sessions.service.js';
import type { LiveSession } from '../sessions/session-state.js';
import { SessionsService } from '../sessions/sessions.service.js';
import type { DeadCredential, IssuedCredential, Transport } from '../strategies/auth.strategy.js';
import type { Authentication, Verdict } from '../strategies/authenticator.js';
import { StrategyTable } from '../strategies/strategy.table.js';
import { deriveCredentialSecret, drawNonce } from './exchange-secret.js';
import { type Exchange, holds, type PendingExchange, PendingExchanges } from './pending-exchanges.service.js';

type LiveVerdict = Verdict & { readonly status: 'live' };

const NOTHING: IssuedCredential = { cookies: [], body: {} };

/** Exchanges a credential of one kind for one of the kind that is issued now; the session stays. */
@Injectable()
export class ExchangeService {
  constructor(
    private readonly database: Database,
    private readonly sessions: SessionsService,
    private readonly exchanges: PendingExchanges,
    private readonly strategies: StrategyTable,
    private readonly audit: Audit,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /**
   * Gives the credential of the issuing kind for the session that counts. However often and wherever it is asked for,
   * it is the same one until it is used; until then the old one is good too.
   *
   * @returns no credential for a caller who holds one of the issuing kind already, and why not for a session that
   * has ended since it was read.
   * @throws Unavailable when the exchange was begun under a secret that this node does not have, or not yet.
   */
  async exchange(
    { verdicts }: Authentication,
    session: LiveSession,
    transport: Transport,
    client: Client,
  ): Promise<SignedIn | DeadCredential> {
    const { sessionId, userId } = session;
    const kind = this.strategies.issuing.name;
    const held = verdicts.flatMap((verdict) =>
      verdict.status === 'live' && verdict.session.sessionId === sessionId ? [verdict] : [],
    );
    const [from] = held;
    if (from === undefined || held.some((verdict) => verdict.kind === kind))
      return { session: { ...session, strategy: kind }, credential: NOTHING };
    const outcome = await this.database.transaction((tx) =>
      this.issue(tx, sessionId, from, transport, client),
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

  /** What was verified may be remembered from a moment ago; whoever issues reads the row, and nobody else meanwhile. */
  private async issue(
    tx: Queries,
    sessionId: string,
    { kind: from, credential }: LiveVerdict,
    transport: Transport,
    client: Client,
  ): Promise<SignedIn | DeadCredential> {
    const { issuing } = this.strategies;
    const pending = await this.exchanges.lock(tx, sessionId);
    const found = await this.sessions.findById(sessionId, tx);
    if (found?.state !== 'live') return { reason: found?.state ?? 'revoked', action: 'login', sessionId };
    const isHeld =
      holds(found.session, from) && (await this.strategies.get(from).confirm(tx, found.session, credential));
    if (!isHeld) return { reason: 'invalid', action: 'login', sessionId };
    const exchange =
      pending?.kind === issuing.name && !pending.isOld
        ? pending
        : await this.begin(tx, found.session, from, pending, client);
    const secret = deriveCredentialSecret(this.config.AUTH_SECRETS, sessionId, exchange);
    // Another node has a newer secret, and whoever asks again may reach that node.
    if (!secret) throw new Unavailable('an exchange was begun under a secret unknown here');
    // Tokens that died just now must not be mistaken for the new ones.
    const begun = await this.sessions.findById(sessionId, tx);
    if (begun?.state !== 'live') throw new Unavailable('the session ended while it was exchanged');
    return {
      session: { ...begun.session, strategy: issuing.name },
      credential: await issuing.issue(tx, begun.session, transport, secret),
    };
  }

  /** One that was under way to another kind ends: with that kind in use, its old one goes, and else that kind. */
  private async begin(
    tx: Queries,
    { sessionId, userId }: LiveSession,
    from: StrategyName,
    pending: PendingExchange | null,
    client: Client,
  ): Promise<Exchange> {
    if (pending?.kind === this.strategies.issuing.name) {
      // Never used: whoever asked for it long ago shall not share what is given now.
      await this.strategies.issuing.withdraw?.(tx, [sessionId]);
    } else if (pending) {
      const [settled] = await this.exchanges.settle(tx, [sessionId], from);
      await this.strategies.get(settled?.dropped ?? pending.kind).withdraw?.(tx, [sessionId]);
    }
    const exchange = {
      kind: this.strategies.issuing.name,
      nonce: drawNonce(this.config.AUTH_SECRETS, sessionId),
    };
    await this.exchanges.begin(tx, sessionId, exchange);
    const details = { from, to: exchange.kind };
    await this.audit.record({ kind: 'credential_exchanged', userId, sessionId, client, details }, tx);
    return exchange;
  }
}
