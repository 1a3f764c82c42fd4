import { Inject, Injectable } from '@nestjs/common';
import type { Logger } from 'pino';
import { Audit } from '../../audit/audit.service.js';
import type { Client } from '../../http/client.decorator.js';
import { LOGGER } from '../../logging/logger.js';
import type { Brought, SignedIn } from '../presented-sessions.service.js';
import { type Proof, SignIns } from '../sign-in.service.js';
import { FactorProofs, guessAt, type PresentedFactor, type ProvenFactor } from './factor-proofs.service.js';
import { MfaChallenges, type OpenChallenge } from './mfa-challenges.service.js';

/** How a sign-in with a second factor ended. */
export type MfaOutcome =
  | { readonly status: 'signed_in'; readonly signedIn: SignedIn }
  /** The factor was wrong, used before, or guessed too often; the token may be tried again, a few times. */
  | { readonly status: 'wrong' }
  /** No such token, or it ran out, was used up, or its account has changed. */
  | { readonly status: 'token_invalid' };

/** Completes sign-ins that lack a second factor. */
@Injectable()
export class Mfa {
  constructor(
    private readonly challenges: MfaChallenges,
    private readonly proofs: FactorProofs,
    private readonly signIns: SignIns,
    private readonly audit: Audit,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** Makes a session for whoever has the token of a half sign-in and a second factor, and ends those brought along. */
  async complete(
    token: string,
    presented: PresentedFactor,
    brought: Brought,
    client: Client,
  ): Promise<MfaOutcome> {
    const challenge = await this.challenges.attempt(token);
    if (!challenge) return { status: 'token_invalid' };
    const { userId, transport } = challenge;
    const factor = await this.proofs.verify(challenge, presented, client);
    if (typeof factor === 'string') {
      const details = { factor: presented.factor, reason: factor };
      await this.audit.recordAttempt({ kind: 'mfa_failed', userId, email: null, client, details });
      this.log('mfa_failed', client, { user: userId, ...details });
      return { status: 'wrong' };
    }
    const proof = this.prove(challenge, factor, client);
    const signedIn = await this.signIns.complete(proof, { transport, brought, client });
    if (!signedIn) return { status: 'token_invalid' };
    this.log('login', client, {
      user: userId,
      session: signedIn.session.sessionId,
      factor: presented.factor,
    });
    return { status: 'signed_in', signedIn };
  }

  private prove(challenge: OpenChallenge, factor: ProvenFactor, client: Client): Proof {
    return {
      userId: challenge.userId,
      passwordHash: challenge.passwordHash,
      methods: [...new Set([...challenge.methods, ...factor.methods, 'mfa'])],
      guesses: [guessAt('password', challenge, client), ...factor.guesses],
      consume: async (tx) => (await this.challenges.consume(tx, challenge)) && (await factor.consume(tx)),
    };
  }

  private log(event: string, client: Client, fields: Readonly<Record<string, unknown>>): void {
    this.logger.info({ event, request_id: client.requestId, ip: client.ip, ...fields });
  }
}
