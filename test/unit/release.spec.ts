import { describe, expect, it } from '@jest/globals';
// @ts-expect-error -- a script without types.
import { releaseChangelog, requireNewer } from '../../tools/release/changelog.mjs';

const CHANGELOG =
  '# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A feature.\n\n## [0.1.0] - 2026-01-01\n\n- First.\n';

describe('a release', () => {
  it('moves the unreleased changes under the version', () => {
    expect(releaseChangelog(CHANGELOG, '0.2.0', '2026-02-03')).toBe(
      '# Changelog\n\n## [Unreleased]\n\n## [0.2.0] - 2026-02-03\n\n### Added\n\n- A feature.\n\n## [0.1.0] - 2026-01-01\n\n- First.\n',
    );
  });

  it.each([
    ['no heading', '# Changelog\n', /no heading/],
    ['nothing to release', '## [Unreleased]\n\n## [0.1.0] - 2026-01-01\n', /nothing under/],
    ['a listed version', `${CHANGELOG}\n## [0.2.0] - 2026-01-02\n`, /lists 0.2.0 already/],
  ])('is refused with %s', (_what, changelog, message) => {
    expect(() => releaseChangelog(changelog, '0.2.0', '2026-02-03')).toThrow(message);
  });

  it.each(['0.1.0', '0.0.9', 'abc', '1.0', '1.0.0-rc.1'])('is refused as %s after 0.1.0', (version) => {
    expect(() => requireNewer('0.1.0', version)).toThrow(Error);
  });

  it('needs a higher version', () => {
    expect(() => requireNewer('0.9.0', '0.10.0')).not.toThrow();
  });
});
