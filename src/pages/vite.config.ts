import { defineConfig } from 'vite';
import { PAGE_ENTRIES } from './entries.ts';

/** Builds the pages into dist/pages: one entry a page; the server writes the HTML by the manifest. */
export default defineConfig({
  root: import.meta.dirname,
  // The server decides what is public.
  publicDir: false,
  build: {
    assetsDir: '.',
    outDir: '../../dist/pages',
    emptyOutDir: true,
    manifest: true,
    target: 'es2023',
    // The policy of the pages allows no data in scripts and styles.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: Object.fromEntries(PAGE_ENTRIES.map((name) => [name, `${name}/${name}.page.tsx`])),
    },
  },
});
