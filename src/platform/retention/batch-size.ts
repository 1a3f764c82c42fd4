/**
 * Target duration of a batch in milliseconds, so that no other statement waits long for its locks or its connection.
 */
const AIM = 100;
const FIRST = 500;
const LEAST = 20;
const MOST = 4_000;

/** The number of rows in a batch: as many as the database deletes in a tenth of a second. */
export class BatchSize {
  private size = FIRST;

  get rows(): number {
    return this.size;
  }

  /** @param milliseconds duration of the last full batch. */
  took(milliseconds: number): void {
    if (milliseconds > AIM * 2) this.size = Math.max(LEAST, Math.floor(this.size / 2));
    else if (milliseconds < AIM / 2) this.size = Math.min(MOST, this.size * 2);
  }

  failed(): void {
    this.size = Math.max(LEAST, Math.floor(this.size / 4));
  }
}
