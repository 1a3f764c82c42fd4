import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { ALL } from '../support/settings.js';

/** Settings that the image or the file decides. */
const FIXED = new Set([
  // The image is for production, listens on all addresses and writes nothing to disk; PORT is the port of the host.
  'APP_ENV',
  'HOST',
  'PORT',
  'DATA_DIR',
]);

it('docker-compose.yml passes every setting through', () => {
  const file = readFileSync(join(import.meta.dirname, '..', '..', 'docker-compose.yml'), 'utf8');
  const service = /\n {2}app:\n(?:(?: {3,}.*)?\n)+/.exec(file)?.[0] ?? '';
  const environment = /\n {4}environment:\n((?: {6}.*\n)+)/.exec(service)?.[1] ?? '';
  const passed = new Set([...environment.matchAll(/^ {6}([A-Z][A-Z0-9_]+):/gm)].map(([, name = '']) => name));
  const missing = Object.keys(ALL).filter(
    (name) => !FIXED.has(name) && !passed.has(name) && !passed.has(`${name}_FILE`),
  );
  expect(missing).toEqual([]);
  const unknown = [...passed].filter((name) => !(name.replace(/_FILE$/, '') in ALL));
  expect(unknown).toEqual([]);
});
