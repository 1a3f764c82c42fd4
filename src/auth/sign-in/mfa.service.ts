import { Injectable } from '@nestjs/common';
import { Audit } from '../../audit/audit.service.js';
import type { Client } from '../../platform/http/client.decorator.js';
import { SecurityLog } from '../../platform/logging/security-log.service.js';
import { MfaChallenges, type OpenChallenge } from '../assurance/mfa-challenges.service.js';
import type { PresentedCredentials, SignedIn } from '../credentials/presented-sessions.service.js';
import type { Presented, Proven } from './proofs/proof.js';
import { ProofTable } from './proofs/proof.table.js';
import { type Proof, SessionStart } from './session-start.service.js';

/** The result of a sign-in with a second factor. */
export type MfaOutcome =
  | { readonly status: 'signed_in'; readonly signedIn: SignedIn }
  /** The factor was wrong, used before, or guessed too often; the token allows a few more attempts. */
  | { readonly status: 'wrong' }
  /** The token is unknown, expired or consumed, or its account has changed. */
  | { readonly status: 'token_invalid' };

/** Completes half sign-ins. */
@Injectable()
export class Mfa {
  constructor(
    private readonly challenges: MfaChallenges,
    private readonly proofs: ProofTable,
    private readonly sessionStart: SessionStart,
    private readonly audit: Audit,
    private readonly log: SecurityLog,
  ) {}

  /**
   * Creates a session if the token of a half sign-in and a second factor are valid, and ends the presented sessions.
   */
  async complete(
    token: string,
    presented: Presented,
    credentials: PresentedCredentials,
    client: Client,
  ): Promise<MfaOutcome> {
    const challenge = await this.challenges.attempt(token);
    if (!challenge) return { status: 'token_invalid' };
    const { userId, emailCanonical, transport, tokenHash: mfaTokenHash } = challenge;
    const ceremony = { kind: 'second_factor', mfaTokenHash } as const;
    const subject = { userId, email: emailCanonical, emailCanonical, ceremony };
    const factor = await this.proofs.verify(subject, presented, client);
    if (factor.status !== 'proven') {
      const details = { factor: presented.authenticator, reason: factor.status };
      await this.audit.recordAttempt({ kind: 'mfa_failed', userId, email: null, client, details });
      this.log.write('mfa_failed', client, { user: userId, ...details });
      return { status: 'wrong' };
    }
    const proof = this.prove(challenge, factor, client);
    const signedIn = await this.sessionStart.complete(proof, { transport, credentials, client });
    if (!signedIn) return { status: 'token_invalid' };
    const { sessionId } = signedIn.session;
    this.log.write('login', client, { user: userId, session: sessionId, factor: presented.authenticator });
    return { status: 'signed_in', signedIn };
  }

  private prove(challenge: OpenChallenge, factor: Proven, client: Client): Proof {
    return {
      userId: challenge.userId,
      passwordHash: challenge.passwordHash,
      methods: [...new Set([...challenge.methods, ...factor.methods, 'mfa'])],
      guesses: [{ authenticator: 'password', email: challenge.emailCanonical, client }, factor.guess],
      consume: async (tx) =>
        (await this.challenges.consume(tx, challenge)) && (await this.proofs.consume(tx, [factor])),
    };
  }
}
