import { randomBytes } from 'node:crypto';
import {
  Inject,
  Injectable,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
  type OnModuleInit,
} from '@nestjs/common';
import type { Logger } from 'pino';
import type { PasswordConfig } from '../../../config/password.config.js';
import { PASSWORD_CONFIG } from '../../../config/tokens.config.js';
import { LOGGER } from '../../logging/logger.js';
import { AnswerFloor, type Computing } from './answer-floor.service.js';
import type { PasswordHash } from './formats/hash-format.js';
import { readPasswordHash } from './formats/password-hash.js';
import { HashingQueue } from './hashing-queue.service.js';
import { hashPassword, type HashParameters, hashParameters } from './new-hash.js';
import { PasswordFormats } from './password-formats.service.js';

/**
 * Makes and verifies hashes of passwords: makes Argon2id with the configured parameters, and verifies every format that
 * may be imported. Passwords are compared in NFC (NIST SP 800-63B-4 §3.1.1.2) and otherwise exactly as typed: never
 * trimmed, folded or cut.
 */
@Injectable()
export class PasswordHasher implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private readonly parameters: HashParameters;
  private decoy: PasswordHash | undefined;
  private sweeping = Promise.resolve();

  constructor(
    @Inject(PASSWORD_CONFIG) config: PasswordConfig,
    private readonly queue: HashingQueue,
    private readonly formats: PasswordFormats,
    private readonly floor: AnswerFloor,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {
    this.parameters = hashParameters(config);
  }

  async onModuleInit(): Promise<void> {
    await this.formats.note([await this.getDecoy()]);
  }

  onApplicationBootstrap(): void {
    // It may take a while, and nothing waits for it: until then answers are slower than they need be.
    this.sweeping = this.formats
      .sweep()
      .catch((error: unknown) => this.logger.warn({ event: 'password_formats_not_swept', err: error }));
  }

  onModuleDestroy(): Promise<void> {
    return this.sweeping;
  }

  /** @throws Overloaded */
  hash(password: string): Promise<string> {
    return this.queue.run(() => hashPassword(password, this.parameters));
  }

  /**
   * Compares a password with a stored hash, or, with `null`, with one that nobody knows the password of: an account that
   * does not exist costs as much as one that does. How long a negative answer takes tells nothing of the stored hash.
   *
   * A password that is not in NFC is also compared as it was typed: other systems hashed it so.
   *
   * @param leaves `held` when the answer will be a negative one even if the password is right.
   * @throws Overloaded
   */
  async verify(
    hash: string | null,
    password: string,
    leaves: 'held' | 'at_once' = 'at_once',
  ): Promise<boolean> {
    const read = hash === null ? null : readPasswordHash(hash);
    // A hash that we cannot read was never imported: somebody wrote it by hand, and it opens nothing.
    const stored = typeof read === 'object' ? read : null;
    const judged = stored ?? (await this.getDecoy());
    const candidates = new Set([password.normalize('NFC'), password]);
    const { computing, matches } = await this.queue.run(async () => this.compare(judged, candidates));
    await this.formats.ensure(judged);
    const isRight = matches && stored !== null;
    if (!isRight || leaves === 'held') await this.floor.hold(computing);
    return isRight;
  }

  /** Whether a hash is of another format than ours, or was made with other parameters than the configured ones. */
  needsRehash(hash: string): boolean {
    const read = readPasswordHash(hash);
    return typeof read !== 'object' || read.pattern !== this.decoy?.pattern;
  }

  private async compare(
    hash: PasswordHash,
    candidates: ReadonlySet<string>,
  ): Promise<{ computing: Computing; matches: boolean }> {
    const computing = this.floor.begin(candidates.size);
    try {
      for (const candidate of candidates)
        if (await hash.matches(candidate)) return { computing, matches: true };
      return { computing, matches: false };
    } finally {
      this.floor.end(computing);
    }
  }

  private async getDecoy(): Promise<PasswordHash> {
    if (this.decoy) return this.decoy;
    const read = readPasswordHash(await this.hash(randomBytes(32).toString('base64')));
    if (typeof read !== 'object') throw new Error('our own hash is not understood');
    return (this.decoy = read);
  }
}
