/** The part of the lifetime after which a value is refreshed in the background, before a caller must wait for it. */
const AHEAD = 0.8;

/**
 * Keeps a remote value fresh without a timer: callers trigger a refresh, in the background when the value is old, and
 * wait when it is too old. Single flight: concurrent callers share one read.
 */
export class Renewal {
  private readAt = Number.NEGATIVE_INFINITY;
  private life = 0;
  private running: Promise<void> | null = null;

  /** @param read returns the milliseconds for which the value is fresh. */
  constructor(
    private readonly read: () => Promise<number>,
    private readonly report: (error: unknown) => void,
  ) {}

  /** @throws the reason why it could not be read, if the value is too old. */
  async keepFresh(): Promise<void> {
    // By the monotonic clock: a change of the wall clock must not keep a value fresh forever.
    const age = performance.now() - this.readAt;
    if (age < this.life * AHEAD) return;
    const renewing = this.renew();
    if (age >= this.life) await renewing;
    // No caller waits for it; one that must wait later tries again.
    else renewing.catch(() => undefined);
  }

  /** Reads the value now, or joins a read in progress. */
  renew(): Promise<void> {
    this.running ??= this.start();
    return this.running;
  }

  /** Reads the value in a new read: one in progress may have been answered earlier. */
  async renewAfresh(): Promise<void> {
    await this.running?.catch(() => undefined);
    await this.renew();
  }

  /** Makes the next caller wait for a new read. */
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
