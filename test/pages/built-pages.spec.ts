import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from '@jest/globals';
import { packageRoot } from '../../config/package-root.config.js';

const folder = join(packageRoot(), 'dist', 'pages');
const files = readdirSync(folder)
  .filter((name) => /\.(css|js)$/.test(name))
  .map((name) => ({ name, content: readFileSync(join(folder, name)) }));

describe('the built pages', () => {
  it('are at most 60 KB gzipped in all languages together', () => {
    expect(files.length).toBeGreaterThan(8);
    const size = files.reduce((sum, { content }) => sum + gzipSync(content).length, 0);
    expect(size).toBeLessThanOrEqual(60 * 1024);
  });

  it('contain no development controls', () => {
    // The controls call the API of development, whose paths begin so; the home page links to the page itself.
    expect(files.filter(({ content }) => content.includes('dev/controls/')).map(({ name }) => name)).toEqual(
      [],
    );
  });
});
