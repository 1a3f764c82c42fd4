/**
 * Whether measurements that were made in turn tell two things apart: nearly always the same one is slower, and by much. On a
 * machine with other work either alone happens by chance.
 */
export function tellsApart(one: readonly number[], other: readonly number[]): boolean {
  const slower = one.filter((time, round) => time > (other[round] ?? 0)).length / one.length;
  const [a, b] = [median(one), median(other)];
  return Math.max(slower, 1 - slower) >= 0.85 && Math.abs(a - b) > Math.max(0.5, 0.15 * Math.min(a, b));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
