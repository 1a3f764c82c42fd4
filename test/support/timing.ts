/**
 * Whether anything is told apart from the first by its times. It is measured a second time before that is believed: what is
 * there is there twice, and what the machine did meanwhile is not.
 *
 * @param measure gives the times of each, made in turn.
 */
export async function isToldApart(
  measure: () => Promise<readonly (readonly number[])[]>,
): Promise<readonly boolean[]> {
  const look = async () => {
    const [first = [], ...others] = await measure();
    return others.map((other) => tellsApart(first, other));
  };
  const once = await look();
  if (!once.includes(true)) return once;
  const twice = await look();
  return once.map((told, index) => told && twice[index] === true);
}

/**
 * Whether measurements that were made in turn tell two things apart: nearly always the same one is slower, and by much. On a
 * machine with other work either alone happens by chance.
 */
function tellsApart(one: readonly number[], other: readonly number[]): boolean {
  const slower = one.filter((time, round) => time > (other[round] ?? 0)).length / one.length;
  const [a, b] = [median(one), median(other)];
  return Math.max(slower, 1 - slower) >= 0.85 && Math.abs(a - b) > Math.max(0.5, 0.15 * Math.min(a, b));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
