import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/**
 * A document that is generated from the code and checked in. With UPDATE_DOCS=1 it is written anew.
 *
 * @returns what the file holds; compare it with `expected`.
 */
export function generatedDocument(path: string, expected: string): string {
  const file = join(root, path);
  if (process.env['UPDATE_DOCS'] === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, expected);
  }
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
