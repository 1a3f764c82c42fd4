import { join } from 'node:path';

/** The project. */
export const ROOT = join(import.meta.dirname, '..', '..');
/** Everything that a run keeps. */
export const DATA = join(ROOT, '.mutants');
/** The instrumented copy of the project. */
export const SANDBOX = join(DATA, 'sandbox');
