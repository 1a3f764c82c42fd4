import { Injectable } from '@nestjs/common';
import type { Client } from '../../../platform/http/client.decorator.js';
import { SecurityLog } from '../../../platform/logging/security-log.service.js';
import type { Transport } from '../../credentials/auth.strategy.js';
import { Authenticator } from '../../credentials/authenticator.js';
import {
  type PresentedCredentials,
  PresentedSessions,
  type SignedIn,
} from '../../credentials/presented-sessions.service.js';
import type { RefreshCredential } from '../../credentials/refresh-credential.js';
import { RunningStrategy } from '../../sessions/running-strategy.js';
import type { RefreshOutcome, RefreshRefusal } from './refresh-tokens.service.js';
import { TokenPair } from './token-pair.service.js';

/** Exchanges refresh tokens for new token pairs (RFC 6749 §6). */
@Injectable()
export class RefreshService {
  constructor(
    private readonly authenticator: Authenticator,
    private readonly presented: PresentedSessions,
    private readonly tokens: TokenPair,
    private readonly running: RunningStrategy,
    private readonly log: SecurityLog,
  ) {}

  /**
   * Exchanges the refresh token of a request. Refuses all tokens if `jwt` is not accepted. Of several tokens, it
   * exchanges the head of a live session: presenting an older one could end its session.
   *
   * @returns `conflict` if the request carries live credentials of different users.
   */
  async refresh(
    { authentication, refreshTokens }: PresentedCredentials,
    transport: Transport,
    client: Client,
  ): Promise<SignedIn | RefreshRefusal | 'conflict'> {
    if (!this.running.accepts('jwt')) return 'invalid';
    const [first] = refreshTokens;
    // One token and no live credential, the usual case after an access token expired: no owners to compare.
    if (first !== undefined && refreshTokens.length === 1 && !authentication.live) {
      return this.exchange(first, transport, client);
    }
    const identified = await Promise.all(
      refreshTokens.map(async (value) => ({ value, owner: await this.presented.ownerOf(value) })),
    );
    const live = identified.filter(({ owner }) => owner?.isLive);
    const users = new Set(live.map(({ owner }) => owner?.userId));
    if (authentication.live && live.length > 0) users.add(authentication.live.userId);
    if (users.size > 1 || authentication.hasConflict) return 'conflict';
    const chosen = live.find(({ owner }) => owner?.isHead) ?? live[0] ?? identified[0];
    return chosen ? this.exchange(chosen.value, transport, client) : 'invalid';
  }

  private async exchange(
    token: string,
    transport: Transport,
    client: Client,
  ): Promise<SignedIn | RefreshRefusal> {
    const credential: RefreshCredential = { value: token, purpose: 'exchange', client };
    const outcome = await this.authenticator.run<RefreshOutcome & { status: 'redeemed' }>(
      'refresh',
      credential,
    );
    if ('failure' in outcome) {
      const { refusal, sessionId, reuse } = outcome.failure as RefreshOutcome & { status: 'refused' };
      const cause = reuse && { cause: reuse };
      this.log.write('refresh_refused', client, { reason: refusal, session: sessionId, ...cause });
      return refusal;
    }
    const { session, repeat } = outcome.success;
    if (repeat) this.log.write('refresh_repeated', client, { cause: repeat, session: session.sessionId });
    return { session, credential: await this.tokens.compose(outcome.success, transport) };
  }
}
