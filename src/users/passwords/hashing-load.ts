/** Milliseconds until a higher load is forgotten. */
const REMEMBERED_FOR = 600_000;
/** The maximum factor over a quiet machine. */
const FACTOR_MAX = 16;

/**
 * The factor by which answers are delayed on a busy machine, as a power of two. It grows as soon as a computation
 * needs half of the available time, and is halved after every ten minutes without that.
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

  /** @param share the part of the time available on a quiet machine that a computation took. */
  note(share: number): void {
    let needed = 1;
    while (needed < FACTOR_MAX && share > needed / 2) needed *= 2;
    if (needed < this.factor) return;
    this.current = needed;
    this.neededAt = performance.now();
  }
}
