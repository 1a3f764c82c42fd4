import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/**
 * A generated document in the repository. UPDATE_DOCS=1 writes it again.
 *
 * @returns the content of the file, to compare with `expected`.
 */
export function generatedDocument(path: string, expected: string): string {
  const file = join(root, path);
  if (process.env['UPDATE_DOCS'] === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, expected);
  }
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
