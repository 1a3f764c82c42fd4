/**
 * Turns `[Unreleased]` of CHANGELOG.md into a version, sets that version in package.json and its lock file, and commits
 * both. It pushes nothing and makes no tag: the maintainer does, once CI has passed.
 *
 *   npm run release -- 1.2.3 [--dry-run]
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { releaseChangelog, requireNewer } from './changelog.mjs';

const root = join(import.meta.dirname, '..', '..');
const CHANGELOG = 'CHANGELOG.md';
const VERSIONED = ['package.json', 'package-lock.json'];

const { values, positionals } = parseArgs({
  options: { 'dry-run': { type: 'boolean', default: false } },
  allowPositionals: true,
});

try {
  release(positionals);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}

function release([version, ...rest]) {
  if (version === undefined || rest.length > 0)
    throw new Error('Usage: npm run release -- <version> [--dry-run]');
  requireNewer(JSON.parse(read('package.json')).version, version);
  const today = new Date().toISOString().slice(0, 10);
  const changelog = releaseChangelog(read(CHANGELOG), version, today);
  if (values['dry-run']) {
    process.stdout.write(changelog);
    return;
  }
  if (git('status', '--porcelain') !== '') throw new Error('Commit or stash your changes first.');
  writeFileSync(join(root, CHANGELOG), changelog);
  for (const file of VERSIONED) setVersion(file, version);
  git('add', CHANGELOG, ...VERSIONED);
  git('commit', '--quiet', '--message', `chore(release): set the version to ${version}`);
  process.stdout.write(
    `Version ${version} is committed. After CI has passed: git tag v${version} && git push --tags\n`,
  );
}

function setVersion(file, version) {
  const content = JSON.parse(read(file));
  content.version = version;
  if (content.packages) content.packages[''].version = version;
  writeFileSync(join(root, file), `${JSON.stringify(content, null, 2)}\n`);
}

function read(file) {
  return readFileSync(join(root, file), 'utf8');
}

function git(...args) {
  return execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim();
}
