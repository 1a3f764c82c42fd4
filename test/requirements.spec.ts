import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { expect, it } from '@jest/globals';
import { format } from 'prettier';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
const PAGE = join(root, 'docs', 'requirements.md');
const ID = /\b(?:[PLETWSCJFBHGO]\d{1,2}|(?:incident|pain|fault) \d{1,2})\b/g;
const ADVISORY = /\b(?:CVE-\d{4}-\d{4,}|GHSA(?:-[a-z0-9]{4}){3})\b/g;
const TITLED = /^(?:it|test|describe)\w*$/;
/** The ids at the end of a title, in brackets. */
const CITED = /\[([^\]]+)\]$/;
const NOT_COVERED = /^_Not covered_: .+/;

interface Row {
  readonly id: string;
  readonly source: string;
  readonly tests: string;
}

const page = readFileSync(PAGE, 'utf8');
const rows = page.split('\n').flatMap((line): Row[] => {
  const [id = '', , source = '', tests = ''] = line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
  return new RegExp(`^(?:${ID.source})$`).test(id) ? [{ id, source, tests }] : [];
});
const known = new Set(rows.map(({ id }) => id));
const advisories = new Set(page.match(ADVISORY));
const specs = globSync('test/**/*.spec.ts', { cwd: root }).toSorted();
const titles = specs.flatMap((file) => titlesIn(read(file)).map((title) => ({ file, title })));

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

function citedIn(title: string): string[] {
  return CITED.exec(title)?.[1]?.split(', ') ?? [];
}

/** The titles of tests and groups of tests, however they are parametrised or skipped. */
function titlesIn(source: string): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node) => {
    const [title] = ts.isCallExpression(node) ? node.arguments : [];
    if (ts.isCallExpression(node) && title && TITLED.test(rootOf(node.expression))) {
      if (ts.isStringLiteralLike(title)) found.push(title.text);
      if (ts.isTemplateExpression(title)) found.push(title.getText().slice(1, -1));
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('spec.ts', source, ts.ScriptTarget.Latest, true));
  return found;
}

/** `it` of `it.each(…)`, and `describe` of `(canRun ? describe : describe.skip)`. */
function rootOf(callee: ts.Expression): string {
  if (ts.isPropertyAccessExpression(callee) || ts.isCallExpression(callee)) return rootOf(callee.expression);
  if (ts.isParenthesizedExpression(callee)) return rootOf(callee.expression);
  if (ts.isConditionalExpression(callee)) return rootOf(callee.whenTrue);
  return ts.isIdentifier(callee) ? callee.text : '';
}

/** The specs that cite each id. */
function citations(): Map<string, string[]> {
  const found = new Map<string, Set<string>>();
  for (const { file, title } of titles)
    for (const id of citedIn(title))
      if (known.has(id)) found.set(id, (found.get(id) ?? new Set()).add(relative('test', file)));
  return new Map([...found].map(([id, files]) => [id, [...files].toSorted()]));
}

it('lists each requirement once', () => {
  expect(rows.length).toBeGreaterThan(180);
  expect(known.size).toBe(rows.length);
});

it('resolves every id that a test title cites', () => {
  const unknown = titles.flatMap(({ file, title }) =>
    citedIn(title)
      .filter((id) => new RegExp(`^(?:${ID.source})$`).test(id) && !known.has(id))
      .map((id) => `${file}: ${id}`),
  );
  expect(unknown).toEqual([]);
});

it('finds the ids of a title at its end, in brackets', () => {
  const misplaced = titles
    .filter(({ title }) => (title.replace(CITED, '').match(ID) ?? []).length > 0)
    .map(({ file, title }) => `${file}: ${title}`);
  expect(misplaced).toEqual([]);
});

it('resolves every id and advisory in sources, settings and documents', () => {
  const files = globSync(['src/**/*.ts', 'config/**/*.ts', 'test/**/*.ts', 'docs/**/*.md', '*.md'], {
    cwd: root,
  });
  const unknown = files
    .filter((file) => file !== join('docs', 'requirements.md') && !file.endsWith('.data.ts'))
    .flatMap((file) => {
      const text = file.endsWith('.ts') ? commentsOf(read(file)) : read(file);
      const ids = (text.match(ID) ?? []).filter((id) => !known.has(id));
      const unlisted = (text.match(ADVISORY) ?? []).filter((id) => !advisories.has(id));
      return [...ids, ...unlisted].map((id) => `${file}: ${id}`);
    });
  expect(unknown).toEqual([]);
});

it('names the tests of each requirement, or why there is none', async () => {
  const cited = citations();
  const wanted = (row: Row) => cited.get(row.id)?.join(', ') ?? row.tests;
  if (process.env['UPDATE_DOCS']) await update(wanted);
  const current = process.env['UPDATE_DOCS'] ? [] : rows.filter((row) => row.tests !== wanted(row));
  expect(current.map(({ id }) => id)).toEqual([]);
  const silent = rows.filter(({ id, tests }) => !cited.has(id) && !NOT_COVERED.test(tests));
  expect(silent.map(({ id }) => id)).toEqual([]);
});

function commentsOf(source: string): string {
  return (source.match(/\/\*[\s\S]*?\*\/|(?<!:)\/\/.*$/gm) ?? []).join('\n');
}

async function update(wanted: (row: Row) => string): Promise<void> {
  const byId = new Map(rows.map((row) => [row.id, row]));
  const lines = page.split('\n').map((line) => {
    const cells = line.split('|');
    const row = byId.get(cells[1]?.trim() ?? '');
    return row ? [...cells.slice(0, 4), ` ${wanted(row)} `, ''].join('|') : line;
  });
  writeFileSync(PAGE, await format(lines.join('\n'), { parser: 'markdown', printWidth: 120 }));
}
