import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import ts from 'typescript';

const root = join(import.meta.dirname, '..');
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const section = /^## A third strategy$[\s\S]*/m.exec(read('ARCHITECTURE.md'))?.[0] ?? '';

/** The new files of the section, by path: a path in code spans comes before each block. */
const added = new Map(
  [...section.matchAll(/`(src\/[^`]+\.ts)`[^`]*(?:`[^`\n]+`[^`]*)*?```ts\n([\s\S]*?)```/g)].map(
    ([, path = '', text = '']) => [path, text],
  ),
);
/** The changed files of the section, by path. */
const changed = new Map(
  (/```diff\n([\s\S]*?)```/.exec(section)?.[1] ?? '')
    .split(/^diff --git .*\n/m)
    .slice(1)
    .map((change) => {
      const path = /^\+\+\+ b\/(.+)$/m.exec(change)?.[1] ?? '';
      return [path, apply(read(path), change)] as const;
    }),
);

describe('the third strategy of ARCHITECTURE.md', () => {
  it('is one new folder, one line in the table and one name in the configuration schema', () => {
    const folders = new Set([...added.keys()].map((path) => dirname(path)));
    expect([...folders]).toEqual(['src/auth/strategies/reference']);
    expect(existsSync(join(root, 'src/auth/strategies/reference'))).toBe(false);
    expect([...changed.keys()]).toEqual(['config/auth.config.ts', 'src/auth/strategies/strategy.table.ts']);
    // Its import, its line in the table, and its name in the schema.
    expect(section.match(/^\+(?!\+\+).*/gm)).toHaveLength(3);
  });

  it('type-checks with the rest of the source', () => {
    const files = new Map([...added, ...changed].map(([path, text]) => [join(root, path), text]));
    const program = ts.createProgram({
      rootNames: [...files.keys(), join(root, 'src/app.factory.ts')],
      options: { ...compilerOptions(), noEmit: true },
      host: hostWith(files),
    });
    const found = ts.getPreEmitDiagnostics(program);
    expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'))).toEqual([]);
    for (const file of files.keys()) expect(program.getSourceFile(file)).toBeDefined();
  });
});

/** Applies a unified diff, by the text of its hunks; throws if the file does not have it. */
function apply(text: string, change: string): string {
  return change
    .split(/^@@ .*@@.*\n/m)
    .slice(1)
    .reduce((result, hunk) => {
      const lines = hunk.replace(/\n$/, '').split('\n');
      const side = (marks: string) =>
        lines
          .filter((line) => marks.includes(line[0] ?? ' '))
          .map((line) => line.slice(1))
          .join('\n');
      if (!result.includes(side(' -'))) throw new Error(`the diff does not apply:\n${hunk}`);
      return result.replace(side(' -'), () => side(' +'));
    }, text);
}

function compilerOptions(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => readFileSync(path, 'utf8')) as {
    config: object;
  };
  return ts.parseJsonConfigFileContent(config, ts.sys, root).options;
}

/** Reads these files as if they were there, and all others from the disk. */
function hostWith(files: ReadonlyMap<string, string>): ts.CompilerHost {
  const host = ts.createCompilerHost(compilerOptions());
  const folders = new Set([...files.keys()].map((path) => dirname(path)));
  const { readFile, fileExists, directoryExists } = host;
  return Object.assign(host, {
    readFile: (path: string) => files.get(path) ?? readFile.call(host, path),
    fileExists: (path: string) => files.has(path) || fileExists.call(host, path),
    directoryExists: (path: string) => folders.has(path) || (directoryExists?.call(host, path) ?? true),
  });
}
