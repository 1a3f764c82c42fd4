import { expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const SOURCE = join(import.meta.dirname, '..', 'src');
const MIGRATIONS = 'platform/database/migrations/';

/** Rooms that lie in a folder of others. */
const PARENTS = ['auth', 'platform'];

/** How a statement, a query builder or the entity manager writes to a table. */
const WRITES = [
  /\binsert\s+into\s+"?(?<table>\w+)/gi,
  /(?<!\bdo\s|\bfor\s|\bkey\s|\bbefore\s|\bafter\s|\bor\s)\bupdate\s+(?:only\s+)?"?(?<table>\w+)"?(?:\s+(?:as\s+)?\w+)?\s+set\b/gi,
  /\bdelete\s+from\s+(?:only\s+)?"?(?<table>\w+)/gi,
  /\btruncate\s+(?:table\s+)?"(?<table>\w+)/gi,
  /\b(?:insertInto|updateTable|deleteFrom|mergeInto|replaceInto)\(\s*'(?<table>\w+)/g,
  // Rows that are deleted when they expire.
  /\bnew ExpiredRows<\w*>\(\{\s*table: '(?<table>\w+)'/g,
];

/** Writes whose table cannot be read off: they must not be there. */
const UNREADABLE = [
  /\b(?:insert\s+into|update|delete\s+from)\s+\$\{/gi,
  /\b(?:insertInto|updateTable|deleteFrom|mergeInto)\((?!\s*')/g,
  /\.(?:nativeInsert|nativeUpdate|nativeDelete|insertMany|upsert|upsertMany|persist)\(/g,
];

/** Files that write to a table that they are given, or to the list of migrations, which has no entity. */
const GENERIC = ['platform/retention/expired-rows.ts', 'platform/database/migrations-table.ts'];

const files = readdirSync(SOURCE, { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.ts') && !file.startsWith(MIGRATIONS))
  .map((file) => ({ file, room: roomOf(file), text: textOf(file) }));

function roomOf(file: string): string {
  const [folder = '', child = ''] = file.split('/');
  return PARENTS.includes(folder) ? `${folder}/${child}` : folder;
}

/** A file without its comments, which may tell of statements. */
function textOf(file: string): string {
  return readFileSync(join(SOURCE, file), 'utf8').replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
}

/** The rooms that write each table. */
function writers(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { room, text } of files) {
    for (const pattern of WRITES) {
      for (const { groups } of text.matchAll(pattern)) {
        const table = groups?.['table'] ?? '';
        found.set(table, (found.get(table) ?? new Set()).add(room));
      }
    }
  }
  return found;
}

/** The room of the entity of each table. */
const owners = new Map(
  files
    .filter(({ file }) => file.endsWith('.entity.ts'))
    .map(({ room, text }) => [/tableName: '(\w+)'/.exec(text)?.[1] ?? '', room]),
);

test('only the room of its entity writes a table', () => {
  const found = writers();
  expect(found.size).toBeGreaterThan(20);
  const others: Record<string, string[]> = {};
  for (const [table, owner] of owners) {
    const rooms = found.get(table) ?? new Set(['none']);
    if (rooms.size > 1 || !rooms.has(owner))
      others[table] = [...rooms].filter((room) => room !== owner).toSorted();
  }
  expect(others).toEqual({});
});

test('every write names its table', () => {
  const unreadable = files
    .filter(({ file }) => !GENERIC.includes(file))
    .flatMap(({ file, text }) =>
      UNREADABLE.flatMap((pattern) => [...text.matchAll(pattern)].map(([write]) => `${file}: ${write}`)),
    );
  expect(unreadable).toEqual([]);
});

test('every written table has an entity', () => {
  expect([...writers().keys()].filter((table) => !owners.has(table))).toEqual([]);
});
