/** Milliseconds after which less load is believed: an answer that is late by then tells of that moment alone. */
const REMEMBERED_FOR = 600_000;
/** So many times longer than on a quiet machine, at most. */
const FACTOR_MAX = 16;

/**
 * How much longer than on a quiet machine answers have to be kept back, as a power of two: it grows as soon as something
 * needed half of the time there is, before anything needs all of it, and goes down one step for every ten minutes without.
 */
export class Load {
  private current = 1;
  private neededAt = performance.now();

  get factor(): number {
    while (this.current > 1 && performance.now() - this.neededAt > REMEMBERED_FOR) {
      this.current /= 2;
      this.neededAt += REMEMBERED_FOR;
    }
    return this.current;
  }

  /** @param share what a computation took of the time that there is on a quiet machine. */
  note(share: number): void {
    let needed = 1;
    while (needed < FACTOR_MAX && share > needed / 2) needed *= 2;
    if (needed < this.factor) return;
    this.current = needed;
    this.neededAt = performance.now();
  }
}
