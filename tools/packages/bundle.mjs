/**
 * Writes the minified bundle of an entry to standard output, as a page would load it.
 *
 *   node tools/packages/bundle.mjs src/client/client.entry.ts | gzip -9 | wc -c
 */
import { join } from 'node:path';
import { build } from 'vite';

const { output } = await build({
  root: join(import.meta.dirname, '..', '..'),
  configFile: false,
  logLevel: 'error',
  build: {
    write: false,
    minify: true,
    modulePreload: false,
    target: 'es2022',
    rolldownOptions: { input: process.argv[2], preserveEntrySignatures: 'strict' },
  },
});
process.stdout.write(output.map(({ code = '' }) => code).join(''));
