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
import { LOGGER } from '../../platform/logging/logger.js';
import { AnswerFloor, type Computing } from './answer-floor.service.js';
import type { PasswordHash } from './formats/hash-format.js';
import { readPasswordHash } from './formats/password-hash.js';
import { HashingQueue } from './hashing-queue.service.js';
import { hashPassword, type HashParameters, hashParameters } from './new-hash.js';
import { PasswordFormats } from './password-formats.service.js';

/** Milliseconds between two searches for kinds of hashes that are gone. */
const PURGE_INTERVAL = 3_600_000;

/**
 * Creates Argon2id hashes with the configured parameters, and verifies all formats that can be imported. Passwords
 * are compared in NFC (NIST SP 800-63B-4 §3.1.1.2) and otherwise exactly as typed: never trimmed, folded or
 * truncated.
 */
@Injectable()
export class PasswordHasher implements OnModuleInit, OnApplicationBootstrap, OnModuleDestroy {
  private readonly parameters: HashParameters;
  private decoy: PasswordHash | undefined;
  private purging = Promise.resolve();
  private timer: NodeJS.Timeout | undefined;

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
    // In the background; until it ends, answers are slower than necessary.
    this.purging = this.purge().then(() => this.reportFloor());
    this.timer = setInterval(() => (this.purging = this.purge()), PURGE_INTERVAL);
    this.timer.unref();
  }

  onModuleDestroy(): Promise<void> {
    clearInterval(this.timer);
    return this.purging;
  }

  /** @throws Overloaded */
  hash(password: string): Promise<string> {
    return this.queue.run(() => hashPassword(password, this.parameters));
  }

  /**
   * Compares a password with a stored hash or, with `null`, with a hash that no password matches: a missing account
   * costs as much as an existing one. The time of a negative answer reveals nothing about the stored hash.
   *
   * A password that is not in NFC is also compared as typed: other systems hashed it that way.
   *
   * @param leaves `held` if the answer is negative even with the correct password.
   * @throws Overloaded
   */
  async verify(
    hash: string | null,
    password: string,
    leaves: 'held' | 'at_once' = 'at_once',
  ): Promise<boolean> {
    const read = hash === null ? null : readPasswordHash(hash);
    // An unreadable hash cannot come from an import. It matches no password.
    const stored = typeof read === 'object' ? read : null;
    const judged = stored ?? (await this.getDecoy());
    const candidates = new Set([password.normalize('NFC'), password]);
    const { computing, matches } = await this.queue.run(async () => this.compare(judged, candidates));
    await this.formats.ensure(judged);
    const isRight = matches && stored !== null;
    if (!isRight || leaves === 'held') await this.floor.hold(computing);
    return isRight;
  }

  /** Whether a hash has another format or other parameters than configured. */
  needsRehash(hash: string): boolean {
    const read = readPasswordHash(hash);
    return typeof read !== 'object' || read.pattern !== this.decoy?.pattern;
  }

  /** Forgets kinds of hashes that no account has any more, and figures of a busy machine. */
  private async purge(): Promise<void> {
    try {
      await this.formats.purge();
      await this.floor.measureAgain();
    } catch (error) {
      this.logger.warn({ event: 'password_formats_not_purged', err: error });
    }
  }

  /** A format that is slower than the floor reveals which accounts have it: the operator forced its import. */
  private async reportFloor(): Promise<void> {
    const formats = await this.floor.exceeding().catch(() => []);
    if (formats.length === 0) return;
    this.logger.warn({
      event: 'answer_floor_exceeded',
      formats: formats.map(({ format, ms }) => `${format}: ${(ms / 1000).toFixed(1)} s`),
      message:
        'negative sign-in answers reveal which accounts have these stored hashes; raise ANSWER_FLOOR_MAX, or make their owners reset their passwords',
    });
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
    if (typeof read !== 'object') throw new Error('cannot parse a new hash');
    return (this.decoy = read);
  }
}
