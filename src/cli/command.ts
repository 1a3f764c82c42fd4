import { Option } from 'commander';
import type { Config } from '../../config/load.config.js';
import { forgetNodes } from '../cluster/forget-nodes.js';
import { ENTITIES } from '../entities.js';
import type { Database } from '../platform/database/database.js';
import { openDatabase } from '../platform/database/open.database.js';

/** How a command prints its data. */
export interface Output {
  readonly json?: true;
}

/** A problem that a command found: printed on standard error, with exit code 1. */
export class CommandProblem extends Error {}

/** What every command receives. */
export interface CommandContext {
  /** Reads the configuration. */
  readonly config: () => Config;
}

/** `--json`, for every command that prints data. */
export function jsonOption(): Option {
  return new Option('--json', 'print JSON');
}

/** Prints data as text, or as JSON with `--json`. */
export function print({ json }: Output, data: object, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(data) : text}\n`);
}

/** A table of text with aligned columns. */
export function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [titles, ...rows]
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Opens the database, migrates its schema, runs `work` and closes the database. */
export async function withDatabase<T>(config: Config, work: (database: Database) => Promise<T>): Promise<T> {
  const open = await openDatabase(config.database, ENTITIES, () => undefined);
  try {
    await forgetNodes(open);
    return await work(open.database);
  } finally {
    await open.close();
  }
}
