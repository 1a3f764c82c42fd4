const HEADING = '## [Unreleased]';
const VERSION = /^(\d+)\.(\d+)\.(\d+)$/;

/**
 * Moves the entries under `[Unreleased]` under a heading for a version, and leaves an empty `[Unreleased]` above it.
 *
 * @param {string} changelog the text of CHANGELOG.md, in the format of Keep a Changelog 1.1.0.
 * @param {string} version as in `1.2.3`.
 * @param {string} date as in `2026-01-31`.
 * @returns {string} the new text.
 * @throws {Error} if there is no `[Unreleased]`, or nothing under it, or the version is listed already.
 */
export function releaseChangelog(changelog, version, date) {
  const start = changelog.indexOf(HEADING);
  if (start === -1) throw new Error(`CHANGELOG.md has no heading "${HEADING}".`);
  if (changelog.includes(`\n## [${version}]`)) throw new Error(`CHANGELOG.md lists ${version} already.`);
  const next = changelog.indexOf('\n## [', start + HEADING.length);
  const end = next === -1 ? changelog.length : next;
  const changes = changelog.slice(start + HEADING.length, end).trim();
  if (changes === '') throw new Error(`There is nothing under "${HEADING}" to release.`);
  const released = `${HEADING}\n\n## [${version}] - ${date}\n\n${changes}\n`;
  return changelog.slice(0, start) + released + changelog.slice(end);
}

/**
 * @param {string} current the version of package.json.
 * @param {string} wanted the version to release.
 * @throws {Error} unless `wanted` is a Semantic Versioning release (no pre-release) above `current`.
 */
export function requireNewer(current, wanted) {
  const to = VERSION.exec(wanted)?.slice(1).map(Number);
  if (!to) throw new Error(`"${wanted}" is not a version such as 1.2.3.`);
  const from = VERSION.exec(current)?.slice(1).map(Number) ?? [0, 0, 0];
  const different = to.findIndex((part, index) => part !== from[index]);
  if (different === -1 || to[different] < from[different])
    throw new Error(`The version is ${current} already: choose a higher one than ${wanted}.`);
}
