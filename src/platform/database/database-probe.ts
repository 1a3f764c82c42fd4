/** Milliseconds between two probes, and after which the database counts as down. */
const INTERVAL = 1_000;
const PATIENCE = 1_000;

/** What a probe asks; it is not asked again before it has answered. */
export type Question = () => Promise<void>;

/** Hears of each change: null if the database works, else why it does not. */
export type ProbeListener = (failure: { readonly cause: unknown } | null) => void;

/** Whether the database can do its work. All callers share one probe a second, so that they cost nothing. */
export class DatabaseProbe {
  private verdict: Promise<void> = Promise.resolve();
  private askedAt = Number.NEGATIVE_INFINITY;
  private isAnswered = true;
  private isDown = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly listeners: ProbeListener[] = [];

  /** @param release lets go of what the question needs. */
  constructor(
    private readonly ask: Question,
    private readonly release: () => void = () => undefined,
  ) {}

  /** Probes also while no caller asks. */
  watch(): this {
    this.timer = setInterval(() => void this.check().catch(() => undefined), INTERVAL).unref();
    return this;
  }

  stop(): void {
    clearInterval(this.timer);
    this.release();
  }

  onChange(listener: ProbeListener): void {
    this.listeners.push(listener);
  }

  /** @throws the reason why the database cannot do its work. */
  check(): Promise<void> {
    const now = performance.now();
    if (!this.isAnswered || now - this.askedAt < INTERVAL - 50) return this.verdict;
    this.askedAt = now;
    this.isAnswered = false;
    const asking = this.ask();
    const answered = () => (this.isAnswered = true);
    asking.then(answered, answered);
    this.verdict = withinPatience(asking);
    this.verdict.then(
      () => this.note(null),
      (cause: unknown) => this.note({ cause }),
    );
    return this.verdict;
  }

  /** A fact that another connection found out, without waiting for the next probe. */
  fail(cause: unknown): void {
    this.verdict = Promise.reject(cause as Error);
    this.verdict.catch(() => undefined);
    this.note({ cause });
  }

  private note(failure: { readonly cause: unknown } | null): void {
    if ((failure !== null) === this.isDown) return;
    this.isDown = failure !== null;
    for (const listener of this.listeners) listener(failure);
  }
}

async function withinPatience(asking: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the database did not answer in time')), PATIENCE);
  });
  try {
    await Promise.race([asking, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
