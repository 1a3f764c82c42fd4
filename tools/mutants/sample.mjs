/** Chooses mutants: all, one, or a random sample that its seed repeats. */
export function chosenFrom(mutants, { all, id, sample, seed }) {
  if (id !== undefined) return mutants.filter((mutant) => mutant.id === id);
  if (all) return mutants;
  const random = generator(Number(seed));
  return mutants
    .map((mutant) => ({ mutant, key: random() }))
    .toSorted((a, b) => a.key - b.key)
    .slice(0, Number(sample))
    .map(({ mutant }) => mutant);
}

/** Mulberry32: numbers from 0 to 1 that depend on the seed alone. */
function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
