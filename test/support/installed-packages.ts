import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const root = join(import.meta.dirname, '..', '..');
export const run = promisify(execFile);

/** Runs `npm run packages`, and returns the tarball of a package. */
export async function buildPackages(): Promise<(name: string) => string> {
  const { stdout } = await run(process.execPath, [join(root, 'tools', 'packages', 'packages.mjs')]);
  const files = stdout.split('\n').filter((line) => line.endsWith('.tgz'));
  return (name) => {
    const file = files.find((one) => one.startsWith(`${name}-`));
    if (file === undefined) throw new Error(`no package ${name}: ${stdout}`);
    return join(root, 'dist', 'packages', file);
  };
}

/** An empty folder that removes itself. */
export function emptyFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'traffy-installed-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Installs a version of Node.js by npm, and returns the path of its program. */
export async function installNode(folder: string, major: number): Promise<string> {
  const place = join(folder, `node-${major}`);
  mkdirSync(place);
  writeFileSync(join(place, 'package.json'), '{}');
  // The package `node` installs this one with a script, which npm can be configured to refuse.
  const name = `node-${process.platform}-${process.arch}`;
  await run('npm', ['install', '--no-save', `${name}@${major}`], { cwd: place });
  return join(place, 'node_modules', name, 'bin', 'node');
}

/** Installs a tarball in a folder of its own, with that Node.js, as a consumer does. */
export async function installTarball(folder: string, tarball: string, node: string): Promise<string> {
  const place = mkdtempSync(join(folder, 'consumer-'));
  writeFileSync(join(place, 'package.json'), '{ "type": "module" }');
  // `npm` is a script of the first node of PATH.
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env['PATH']}` };
  await run('npm', ['install', tarball], { cwd: place, env });
  return place;
}

/** What the strict compiler says of a file; empty for nothing. */
export async function compileStrictly(folder: string, file: string, ...options: string[]): Promise<string> {
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--target', 'es2022', '--module', 'nodenext'];
  return run(process.execPath, [tsc, ...strict, ...options, file], { cwd: folder }).then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
}
