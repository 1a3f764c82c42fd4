/** The oldest Node.js that MikroORM and the lock of the data directory support. src/cli/start.mjs names it too. */
const OLDEST = [22, 17] as const;

/** The message for an unsupported Node.js; null for a supported one. */
export function nodeVersionProblem(version: string): string | null {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return null;
  return `it needs Node.js ${OLDEST.join('.')} or newer, this is ${version}; in a clone, npm start brings its own`;
}
