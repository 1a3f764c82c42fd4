import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CommandProblem } from './command.js';

/**
 * A password that somebody gives a command: from a file, from a pipe, or typed without being shown. Never as an
 * argument, which every user of the machine could read. The line break at its end does not count.
 *
 * @throws CommandProblem if there is none.
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
