export function median(values) {
  return quantile(values, 0.5);
}

/** What the middle half lies between. */
export function quartiles(values) {
  return [quantile(values, 0.25), quantile(values, 0.75)];
}

export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
}
