import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const root = join(import.meta.dirname, '..', '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
/** The snippets that name a file of an example in their first line. */
const SNIPPET = /^```jsx?\n\/\/ (\S+)\n(.*?)^```$/gms;
const snippetsOf = (guide: string) =>
  [...read(`docs/guides/${guide}.md`).matchAll(SNIPPET)].map(([, file = '', text = '']) => ({ file, text }));

describe.each([
  { guide: 'react', files: ['src/SignIn.jsx', 'src/main.jsx', 'src/Account.jsx'], example: 'react-spa' },
  { guide: 'express', files: ['server.mjs'], example: 'express-api' },
  {
    guide: 'nextjs',
    files: ['next.config.mjs', 'app/user.js', 'app/page.jsx', 'app/sign-in.jsx'],
    example: 'nextjs',
  },
])('docs/guides/$guide.md', ({ guide, files, example }) => {
  it('shows the code of the example', () => {
    const snippets = snippetsOf(guide);
    expect(snippets.map(({ file }) => file)).toEqual(files.map((file) => `${example}/${file}`));
    for (const { file, text } of snippets) expect(text).toBe(read(`examples/${file}`));
  });

  it('has an example whose lock file names no registry', () => {
    const lock = read(`examples/${example}/package-lock.json`);
    expect(JSON.parse(lock)).toMatchObject({ name: `traffy-example-${example}`, lockfileVersion: 3 });
    expect(lock).not.toContain('"resolved"');
    expect(existsSync(join(root, 'examples', example, 'README.md'))).toBe(true);
  });
});

it('React needs fewer than 20 lines for client, form and check', () => {
  const text = snippetsOf('react').find(({ file }) => file.endsWith('SignIn.jsx'))?.text ?? '';
  const lines = text.split('\n').filter((line) => line.trim() !== '');
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.length).toBeLessThan(20);
});
