/**
 * A value of AUTH_STRATEGY: the first entry issues, all are accepted. A newer node can name a kind that is unknown
 * here.
 */
export type StrategyValue = readonly string[];

/** Whether two nodes can serve the same clients: each accepts what the other issues. */
export function fits(one: StrategyValue, other: StrategyValue): boolean {
  return acceptsWhatIssues(one, other) && acceptsWhatIssues(other, one);
}

/** Returns the values with which a node can start beside the running ones, the shortest first. */
export function stepsBeside(running: readonly StrategyValue[], kinds: readonly string[]): StrategyValue[] {
  return valuesOf(kinds).filter((value) => running.every((other) => fits(value, other)));
}

/** Returns the shortest path of compatible neighbours from one value to another, including both. */
export function walk(from: StrategyValue, to: StrategyValue): StrategyValue[] {
  const kinds = [...new Set([...from, ...to])];
  let ways: StrategyValue[][] = [[from]];
  const reached = new Set([textOf(from)]);
  for (;;) {
    const arrived = ways.find((way) => textOf(way.at(-1) ?? []) === textOf(to));
    if (arrived) return arrived;
    ways = ways.flatMap((way) =>
      stepsBeside([way.at(-1) ?? []], kinds)
        .filter((value) => !reached.has(textOf(value)) && reached.add(textOf(value)))
        .map((value) => [...way, value]),
    );
    // There is always a path between two kinds; an empty value has none.
    if (ways.length === 0) return [from, to];
  }
}

/** Formats a value as in the environment. */
export function textOf(value: StrategyValue): string {
  return value.join(',');
}

function acceptsWhatIssues(one: StrategyValue, other: StrategyValue): boolean {
  const [issued] = other;
  return issued !== undefined && one.includes(issued);
}

/** Every ordered selection of one or more kinds. */
function valuesOf(kinds: readonly string[]): StrategyValue[] {
  const longer = (value: StrategyValue): StrategyValue[] =>
    kinds.filter((kind) => !value.includes(kind)).map((kind) => [...value, kind]);
  let values: StrategyValue[] = [[]];
  const all: StrategyValue[] = [];
  while (values.length > 0) {
    values = values.flatMap(longer);
    all.push(...values);
  }
  return all;
}
