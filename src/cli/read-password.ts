import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CommandProblem } from './command.js';

/**
 * Reads a password from a file, a pipe or a hidden prompt. Never from an argument: other users of the machine can
 * read those. A line break at the end is removed.
 * @throws CommandProblem if no password was given.
 */
export async function readPassword(path: string | undefined): Promise<string> {
  const given = (await readGiven(path)).replace(/\r?\n$/, '');
  if (given === '') throw new CommandProblem('no password was given');
  return given;
}

async function readGiven(path: string | undefined): Promise<string> {
  if (path !== undefined) return readFile(path);
  if (!process.stdin.isTTY) return text(process.stdin);
  process.stderr.write('Password: ');
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input: process.stdin, output: unseen, terminal: true });
  try {
    return await prompt.question('');
  } finally {
    prompt.close();
    process.stderr.write('\n');
  }
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandProblem(`cannot read ${path} (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
  }
}
