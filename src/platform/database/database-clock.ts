/**
 * The database's clock, kept by this process: between two readings it advances with the monotonic clock, so that a
 * step of the machine's clock has no effect. It decides all times outside of statements.
 */
export class DatabaseClock {
  /** Offset to the monotonic clock in milliseconds. Before the first reading it is the machine's time. */
  private offset = Date.now() - performance.now();
  /** The uncertainty of the offset, in milliseconds. */
  private uncertainty = Number.POSITIVE_INFINITY;

  /** Milliseconds since the epoch. */
  now(): number {
    return performance.now() + this.offset;
  }

  /**
   * Takes a reading of the database's clock. The database read it between question and answer, so a slow answer is
   * imprecise and only used if it contradicts the current offset.
   *
   * @param databaseMs its time, in milliseconds since the epoch.
   * @param askedAt when the question was sent, by the monotonic clock in milliseconds.
   * @param answeredAt when the answer arrived, by the same clock.
   */
  observe(databaseMs: number, askedAt: number, answeredAt: number): void {
    const uncertainty = (answeredAt - askedAt) / 2;
    const offset = databaseMs - (askedAt + answeredAt) / 2;
    if (uncertainty <= this.uncertainty || Math.abs(offset - this.offset) > uncertainty) {
      this.offset = offset;
      this.uncertainty = uncertainty;
    }
  }
}
