/** Milliseconds that a batch is to take: nobody who waits for its locks or its connection waits long. */
const AIM = 100;
const FIRST = 500;
const LEAST = 20;
const MOST = 4_000;

/** How many rows a batch deletes: as many as the database manages in a tenth of a second. */
export class BatchSize {
  private size = FIRST;

  get rows(): number {
    return this.size;
  }

  /** @param milliseconds how long a full batch took. */
  took(milliseconds: number): void {
    if (milliseconds > AIM * 2) this.size = Math.max(LEAST, Math.floor(this.size / 2));
    else if (milliseconds < AIM / 2) this.size = Math.min(MOST, this.size * 2);
  }

  failed(): void {
    this.size = Math.max(LEAST, Math.floor(this.size / 4));
  }
}
