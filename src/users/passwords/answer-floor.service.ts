import { setTimeout as pause } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { PasswordConfig } from '../../../config/password.config.js';
import { PASSWORD_CONFIG } from '../../../config/tokens.config.js';
import { HashCosts } from './hash-costs.js';
import { Load } from './hashing-load.js';
import { PasswordFormats } from './password-formats.service.js';

/** A computation for an answer. */
export interface Computing {
  /** By `performance.now()`. */
  readonly startedAt: number;
  /** The number of sequential hashes: known to the caller, because only the password determines it. */
  readonly hashes: number;
  endedAt: number | null;
}

/**
 * The response-time floor of negative answers. With more than one kind of stored hash, the computing time would
 * reveal the kind of an account, and that it exists. So each negative answer is sent at a multiple of one fixed time,
 * enough for the slowest kind; during the wait nothing is computed and no place in the queue is held.
 *
 * The floor grows with the observed load, up to ANSWER_FLOOR_MAX: on a busy machine, a slow kind would otherwise miss
 * its slot and a fast one would not.
 */
@Injectable()
export class AnswerFloor {
  private readonly costs = new HashCosts();
  private readonly max: number;
  private readonly running = new Set<Computing>();
  private readonly load = new Load();

  constructor(
    private readonly formats: PasswordFormats,
    @Inject(PASSWORD_CONFIG) config: PasswordConfig,
  ) {
    this.max = config.ANSWER_FLOOR_MAX * 1000;
  }

  /** Call it when the computation begins, and `end` when it ends, with any result. */
  begin(hashes: number): Computing {
    const computing = { startedAt: performance.now(), hashes, endedAt: null };
    this.running.add(computing);
    return computing;
  }

  end(computing: Computing): void {
    computing.endedAt = performance.now();
    this.running.delete(computing);
  }

  /** Waits until the answer of a computation may be sent. */
  async hold(computing: Computing): Promise<void> {
    const slot = await this.slot();
    if (slot === 0) return;
    const arrivedAt = performance.now();
    const quiet = slot * computing.hashes;
    for (;;) {
      // Unfinished computations show the load too.
      for (const one of [computing, ...this.running])
        this.load.note(((one.endedAt ?? performance.now()) - one.startedAt) / (slot * one.hashes));
      const busy = Math.min(quiet * this.load.factor, this.max * computing.hashes);
      const slots = Math.ceil((arrivedAt - computing.startedAt) / busy);
      const left = computing.startedAt + slots * busy - performance.now();
      // A timer can fire slightly early.
      if (left < 1) return;
      await pause(left);
    }
  }

  /** Milliseconds between the slots of negative answers on a quiet machine; 0 with only one kind of hash. */
  async slot(): Promise<number> {
    const hashes = await this.formats.list();
    if (hashes.length <= 1) return 0;
    return Math.min(await this.costs.floorOf(hashes), this.max);
  }

  /** The stored kinds that need more time than the floor may take, with the milliseconds that they need. */
  async exceeding(): Promise<readonly { readonly format: string; readonly ms: number }[]> {
    const hashes = await this.formats.list();
    const needs = await Promise.all(
      hashes.map(async (hash) => ({ format: hash.format, ms: await this.costs.floorOf([hash]) })),
    );
    return hashes.length <= 1 ? [] : needs.filter(({ ms }) => ms > this.max);
  }

  /** Corrects figures that were measured on a busy machine. */
  async measureAgain(): Promise<void> {
    if ((await this.formats.list()).length > 1) await this.costs.measureAgain();
  }
}
