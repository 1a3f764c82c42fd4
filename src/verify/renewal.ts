/** The part of its life after which something is read again in the background, before anybody has to wait for it. */
const AHEAD = 0.8;

/**
 * Keeps something remote fresh without a timer: whoever uses it makes it be read again, in the background when it
 * grows old, and waiting when it is too old. One reading at a time, shared by all who come meanwhile.
 */
export class Renewal {
  private readAt = Number.NEGATIVE_INFINITY;
  private life = 0;
  private running: Promise<void> | null = null;

  /** @param read gives the milliseconds for which what it read is fresh. */
  constructor(
    private readonly read: () => Promise<number>,
    private readonly report: (error: unknown) => void,
  ) {}

  /** @throws what kept it from being read, if it is too old. */
  async keepFresh(): Promise<void> {
    // By the monotonic clock: a step of the machine's clock must not make anything fresh for ever.
    const age = performance.now() - this.readAt;
    if (age < this.life * AHEAD) return;
    const renewing = this.renew();
    if (age >= this.life) await renewing;
    // Nobody waits for it; who has to, later, tries again.
    else renewing.catch(() => undefined);
  }

  /** Reads it now, unless that is under way. */
  renew(): Promise<void> {
    this.running ??= this.start();
    return this.running;
  }

  /** Reads it in a reading that begins from now on: one that is under way may have been answered before. */
  async renewAfresh(): Promise<void> {
    await this.running?.catch(() => undefined);
    await this.renew();
  }

  /** Makes the next user wait for a new reading. */
  invalidate(): void {
    this.readAt = Number.NEGATIVE_INFINITY;
  }

  private async start(): Promise<void> {
    const startedAt = performance.now();
    try {
      this.life = await this.read();
      this.readAt = startedAt;
    } catch (error) {
      this.report(error);
      throw error;
    } finally {
      this.running = null;
    }
  }
}
