/**
 * Single flight with a trailing run: callers join a run that starts after their call, so that no answer is older than
 * its question and many callers cost one run.
 */
export class SharedRun {
  private running: Promise<void> = Promise.resolve();
  private queued: Promise<void> | null = null;

  constructor(private readonly job: () => Promise<void>) {}

  /** @throws the error of the job. */
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
