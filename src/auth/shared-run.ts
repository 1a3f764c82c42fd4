/**
 * A job that never runs twice at once. Whoever asks for it gets a run that begins after the question, shared by all who
 * ask until then: so the answer is never older than the question, and a crowd costs one run.
 */
export class SharedRun {
  private running: Promise<void> = Promise.resolve();
  private queued: Promise<void> | null = null;

  constructor(private readonly job: () => Promise<void>) {}

  /** @throws what the job throws. */
  run(): Promise<void> {
    this.queued ??= this.running
      .catch(() => undefined)
      .then(() => {
        this.queued = null;
        this.running = this.job();
        return this.running;
      });
    return this.queued;
  }
}
