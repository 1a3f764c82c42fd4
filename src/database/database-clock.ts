/**
 * The database's clock, kept by this process: between two looks it goes on by the monotonic clock, so that a step of
 * the machine's own clock changes nothing. Whatever is stamped or judged outside a statement goes by it.
 */
export class DatabaseClock {
  /** What to add to the monotonic clock, in milliseconds. Until the first look the machine's own time has to do. */
  private offset = Date.now() - performance.now();
  /** By how much that may be wrong. */
  private uncertainty = Number.POSITIVE_INFINITY;

  /** Milliseconds since the epoch. */
  now(): number {
    return performance.now() + this.offset;
  }

  /**
   * Takes in what the database said. It was read some time between question and answer; a slow answer says little,
   * and is only believed where it contradicts what is known.
   *
   * @param databaseMs its time, in milliseconds since the epoch.
   * @param askedAt when the question left, and
   * @param answeredAt when the answer came, by the monotonic clock in milliseconds.
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
