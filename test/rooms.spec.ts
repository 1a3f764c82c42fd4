import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { generatedDocument } from './support/documents.js';
import { mermaid, reduced, roomGraph } from './support/rooms.js';
import { sourceFiles } from './support/source.js';

const files = sourceFiles();

const linesOf = (text: string) => text.split('\n').length - 1;

describe('rooms', () => {
  it('import each other as the diagram in ARCHITECTURE.md shows (UPDATE_DOCS=1 writes it)', () => {
    const document = readFileSync(join(import.meta.dirname, '..', 'ARCHITECTURE.md'), 'utf8');
    const expected = document.replace(
      /```mermaid\n[\s\S]*?```/,
      `\`\`\`mermaid\n${mermaid(reduced(roomGraph(files)))}\n\`\`\``,
    );
    expect(expected).toContain('```mermaid');
    expect(generatedDocument('ARCHITECTURE.md', expected)).toBe(expected);
  });

  it('have module files with at most 40 imports', () => {
    const modules = files.filter(({ path }) => path.endsWith('.module.ts'));
    expect(modules.length).toBeGreaterThan(15);
    const large = modules.filter(({ importCount }) => importCount > 40);
    expect(large.map(({ path, importCount }) => `${path}: ${importCount}`)).toEqual([]);
  });

  it('have classes with at most 8 dependencies', () => {
    const classes = files.flatMap(({ path, classes: declared }) => declared.map((one) => ({ path, ...one })));
    expect(classes.length).toBeGreaterThan(150);
    const large = classes.filter(({ parameters }) => parameters > 8);
    expect(large.map(({ path, name, parameters }) => `${path} ${name}: ${parameters}`)).toEqual([]);
  });

  it('have folders at most 3 deep, 4 within auth/factors', () => {
    const limit = (path: string) => (path.startsWith('src/auth/factors/') ? 4 : 3);
    const depth = (path: string) => path.split('/').length - 2;
    expect(files.map(({ path }) => path).filter((path) => depth(path) > limit(path))).toEqual([]);
  });

  it('have at most 35 % of the source lines in auth', () => {
    const written = files.filter(({ path }) => !path.endsWith('.data.ts'));
    const lines = (of: typeof files) => of.reduce((sum, { text }) => sum + linesOf(text), 0);
    const ofAuth = written.filter(({ path }) => path.startsWith('src/auth/'));
    expect(lines(ofAuth) / lines(written)).toBeLessThanOrEqual(0.35);
  });
});
