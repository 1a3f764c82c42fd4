/** The value below which a share of a list lies, interpolated between neighbours. */
function quantile(list, share) {
  const sorted = Float64Array.from(list).toSorted();
  const position = (sorted.length - 1) * share;
  const below = Math.floor(position);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (sorted[above] - sorted[below]) * (position - below);
}

export const median = (list) => quantile(list, 0.5);

/**
 * Where the true median lies with 95 %, whatever the distribution is: between two values of the sorted list, by the
 * binomial distribution's normal approximation. With fewer than six values these are the least and the greatest.
 */
function medianInterval(list) {
  const sorted = Float64Array.from(list).toSorted();
  const rank = Math.max(0, Math.floor((sorted.length - 1.96 * Math.sqrt(sorted.length)) / 2));
  return [sorted[rank], sorted[sorted.length - 1 - rank]];
}

/** Median, quartiles and the interval of the median. */
export function summary(list) {
  const [low, high] = medianInterval(list);
  return { median: median(list), q1: quantile(list, 0.25), q3: quantile(list, 0.75), low, high };
}

/** The middle half of the values, as a share of the median. */
export const spread = ({ median: middle, q1, q3 }) => (q3 - q1) / middle;

/** How far the true median may lie from the one that was found, as a share of it. */
export const uncertainty = ({ median: middle, low, high }) => Math.max(high - middle, middle - low) / middle;

/** A list divided by another, value by value. */
export const divided = (list, by) => list.map((value, index) => value / by[index]);
