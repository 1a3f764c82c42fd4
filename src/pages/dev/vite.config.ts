import { defineConfig } from 'vite';
import pages from '../vite.config.ts';

/** Builds the development controls into dist/dev-pages, which no package contains. */
export default defineConfig({
  ...pages,
  root: import.meta.dirname,
  build: {
    ...pages.build,
    outDir: '../../../dist/dev-pages',
    rolldownOptions: { input: ['controls.page.tsx', 'badge.tsx'] },
  },
});
