import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { HashAlgorithm, PasswordHash } from './formats/hash-format.js';
import { HashingQueue } from './hashing-queue.service.js';
import { PasswordFormats } from './password-formats.service.js';

/** How much longer than the slowest hash takes by itself: it may be computed beside others, and twice (see `verify`). */
const HEADROOM = 2.5;

/** How often the cost of a hash is measured. */
const RUNS = 3;

/**
 * When a negative answer leaves. While hashes of more than one kind may be stored, what was computed for an answer would
 * tell which kind an account has, and that there is one. So each leaves at a multiple of one and the same time, in which
 * the slowest kind could have been computed; nothing is computed and no place in the queue is held meanwhile.
 */
@Injectable()
export class AnswerFloor {
  private readonly measured = new Map<string, Promise<number>>();

  constructor(
    private readonly formats: PasswordFormats,
    private readonly queue: HashingQueue,
  ) {}

  /**
   * Waits until an answer may leave.
   *
   * @param startedAt when computing it began, by `performance.now()`.
   */
  async hold(startedAt: number): Promise<void> {
    const slot = await this.slot();
    if (slot === 0) return;
    const elapsed = performance.now() - startedAt;
    await pause(Math.ceil(elapsed / slot) * slot - elapsed);
  }

  /** Milliseconds between two moments at which negative answers leave; 0 where there is but one kind of hash. */
  async slot(): Promise<number> {
    const hashes = await this.formats.list();
    if (hashes.length <= 1) return 0;
    const dearest = new Map<HashAlgorithm, PasswordHash>();
    for (const hash of hashes) {
      if (hash.work > (dearest.get(hash.algorithm)?.work ?? 0)) dearest.set(hash.algorithm, hash);
    }
    const times = await Promise.all([...dearest.values()].map((hash) => this.timeOf(hash)));
    return Math.ceil(HEADROOM * Math.max(...times));
  }

  /** Milliseconds that a hash of this cost takes on this machine: measured once. */
  private timeOf(hash: PasswordHash): Promise<number> {
    const known = this.measured.get(hash.sample);
    if (known) return known;
    const measuring = this.queue.run(() => measure(hash));
    this.measured.set(hash.sample, measuring);
    measuring.catch(() => this.measured.delete(hash.sample));
    return measuring;
  }
}

/** The quickest of some runs: what it takes by itself, whatever else the machine was doing. */
async function measure(hash: PasswordHash): Promise<number> {
  let quickest = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run += 1) {
    const startedAt = performance.now();
    await hash.matches('what it takes to compute this');
    quickest = Math.min(quickest, performance.now() - startedAt);
  }
  return quickest;
}
