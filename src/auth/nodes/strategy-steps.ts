/** A value of AUTH_STRATEGY: the first entry issues, all are accepted. A newer node may name a kind unknown here. */
export type StrategyValue = readonly string[];

/** Whether two nodes can serve the same clients: each accepts what the other issues. */
export function fits(one: StrategyValue, other: StrategyValue): boolean {
  return acceptsWhatIssues(one, other) && acceptsWhatIssues(other, one);
}

/** The values that a node may start with beside nodes that run these, the shortest first. */
export function stepsBeside(running: readonly StrategyValue[], kinds: readonly string[]): StrategyValue[] {
  return valuesOf(kinds).filter((value) => running.every((other) => fits(value, other)));
}

/**
 * The shortest way from one value to another on which every two neighbours fit, both ends included; the same for
 * any number of kinds.
 */
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
    // Between two kinds there is always a way; one of no kind at all leads nowhere.
    if (ways.length === 0) return [from, to];
  }
}

/** As it is written in the environment. */
export function textOf(value: StrategyValue): string {
  return value.join(',');
}

function acceptsWhatIssues(one: StrategyValue, other: StrategyValue): boolean {
  const [issued] = other;
  return issued !== undefined && one.includes(issued);
}

/** Every ordered choice of one kind or more. */
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
