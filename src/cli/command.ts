import { Option } from 'commander';
import type { Config } from '../../config/load.config.js';
import { ENTITIES } from '../entities.js';
import type { Database } from '../database/database.js';
import { openDatabase } from '../database/open.database.js';

/** How a command prints its data. */
export interface Output {
  readonly json?: true;
}

/** What a command found wrong: told on standard error, and the exit code is 1. */
export class CommandProblem extends Error {}

/** What commands are made from. */
export interface CommandContext {
  /** Reads the configuration. */
  readonly config: () => Config;
}

/** `--json`, for every command that prints data. */
export function jsonOption(): Option {
  return new Option('--json', 'print JSON');
}

/** Prints data for a person, or with `--json` for a program. */
export function print({ json }: Output, data: object, text: string): void {
  process.stdout.write(`${json ? JSON.stringify(data) : text}\n`);
}

/** Columns of text, aligned under their titles. */
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

/** Opens the database of a configuration, brings its schema up to date, and closes it behind `work`. */
export async function withDatabase<T>(config: Config, work: (database: Database) => Promise<T>): Promise<T> {
  const { database, close } = await openDatabase(config.database, ENTITIES, () => undefined);
  try {
    return await work(database);
  } finally {
    await close();
  }
}
