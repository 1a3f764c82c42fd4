import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { HashAlgorithm, PasswordHash } from './formats/hash-format.js';
import { HashingQueue } from './hashing-queue.service.js';
import { Load } from './hashing-load.js';
import { PasswordFormats } from './password-formats.service.js';

/** How much longer than the slowest hash takes by itself: others are computed beside it. */
const HEADROOM = 2.5;

/** How often the cost of a hash is measured. */
const RUNS = 3;

/** Milliseconds beyond which no answer is kept back because the machine is busy. */
const BUSY_MAX = 10_000;

/** What is computed for an answer, from when on. */
export interface Computing {
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** How many hashes, one after the other: known to whoever asks, since the password alone decides it. */
  readonly hashes: number;
  endedAt: number | null;
}

/**
 * When a negative answer leaves. While hashes of more than one kind may be stored, what was computed for an answer would
 * tell which kind an account has, and that there is one. So each leaves at a multiple of one and the same time, in which
 * the slowest kind could have been computed; nothing is computed and no place in the queue is held meanwhile.
 *
 * That time grows with what the machine is seen to need for any hash: otherwise, on a busy one, a slow kind would miss
 * its moment and a quick one would not.
 */
@Injectable()
export class AnswerFloor {
  private readonly measured = new Map<string, Promise<number>>();
  private readonly running = new Set<Computing>();
  private readonly load = new Load();

  constructor(
    private readonly formats: PasswordFormats,
    private readonly queue: HashingQueue,
  ) {}

  /** To be called when computing begins, as `end` when it ends, however it does. */
  begin(hashes: number): Computing {
    const computing = { startedAt: performance.now(), hashes, endedAt: null };
    this.running.add(computing);
    return computing;
  }

  end(computing: Computing): void {
    computing.endedAt = performance.now();
    this.running.delete(computing);
  }

  /** Waits until an answer may leave, for which this was computed. */
  async hold(computing: Computing): Promise<void> {
    const slot = await this.slot();
    if (slot === 0) return;
    const arrivedAt = performance.now();
    const quiet = slot * computing.hashes;
    for (;;) {
      // Those that are not done yet tell of the load, too.
      for (const one of [computing, ...this.running])
        this.load.note(((one.endedAt ?? performance.now()) - one.startedAt) / (slot * one.hashes));
      const busy = Math.max(quiet, Math.min(quiet * this.load.factor, BUSY_MAX));
      const slots = Math.ceil((arrivedAt - computing.startedAt) / busy);
      const left = computing.startedAt + slots * busy - performance.now();
      // A timer may fire a moment early.
      if (left < 1) return;
      await pause(left);
    }
  }

  /** Milliseconds between two moments at which negative answers leave a quiet machine; 0 where there is but one kind of hash. */
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
