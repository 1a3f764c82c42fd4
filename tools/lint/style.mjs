/**
 * Refuses words and phrases that the house style replaces, in comments, strings and documents. Words of the table are
 * matched as whole words, in any case. docs/style.md says what to write in their place.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/** Phrase → what to write. */
const BANNED = {
  'at once': 'immediately, or concurrently',
  whoever: 'the actor: client, caller, owner, attacker, administrator',
  nobody: 'the actor, or "no user"',
  somebody: 'the actor: a user, a caller',
  meanwhile: 'what races with what',
  anew: 'again',
  told: 'the verb: reports, notifies, logs',
  'is none': 'does not exist, is missing',
  'goes by': 'uses',
  'may come': 'the verb',
  'a look': 'a lookup, a poll',
  'another one that': 'what it is',
  'told apart': 'distinguished',
  stands: 'is, is listed in, represents',
  whosoever: 'the actor',
  lately: 'recently',
};

const SKIPPED =
  /^(package-lock\.json|tools\/.*package-lock\.json|tools\/lint\/(style\.mjs|words\.txt)|docs\/style\.md|test\/|src\/users\/passwords\/common-passwords\.data\.ts|src\/platform\/database\/migrations\/)/;
const READ = /\.(tsx?|jsx|mjs|cjs|md|yml|yaml|json|env|html|css)$|^\.ci\/run$|^Dockerfile$/;
const MAX_LINE = 120;

/** "There is none" is fine, and so is Python's `is None`. The user `nobody` of Unix is quoted. */
const phrases = new RegExp(`(?<![\\w-'"]|there )(${Object.keys(BANNED).join('|')})(?![\\w-])`, 'gi');
const ALLOWED = new Set(['is None']);
const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => READ.test(file) && !SKIPPED.test(file));

const findings = files.flatMap((file) => {
  const lines = read(file).split('\n');
  return [...phrasesIn(file, lines), ...(file.endsWith('.md') ? longLinesIn(file, lines) : [])];
});
for (const finding of findings) process.stderr.write(`${finding}\n`);
if (findings.length > 0) process.stderr.write(`\n${findings.length} findings of style: see docs/style.md\n`);
process.exitCode = findings.length > 0 ? 1 : 0;

function read(file) {
  try {
    return readFileSync(join(root, file), 'utf8');
  } catch {
    // Deleted, and not committed yet.
    return '';
  }
}

function phrasesIn(file, lines) {
  return lines.flatMap((line, index) =>
    [...line.matchAll(phrases)]
      .filter(([phrase]) => !ALLOWED.has(phrase))
      .map(([phrase]) => `${file}:${index + 1}: "${phrase}": write ${BANNED[phrase.toLowerCase()]}`),
  );
}

/** Tables and links cannot be wrapped. */
function longLinesIn(file, lines) {
  let inCode = false;
  return lines.flatMap((line, index) => {
    if (line.trimStart().startsWith('```')) inCode = !inCode;
    const canWrap =
      !inCode && !/^\s*\|/.test(line) && !/https?:\/\/\S{60,}/.test(line) && !/^!?\[/.test(line);
    return canWrap && line.length > MAX_LINE
      ? [`${file}:${index + 1}: ${line.length} characters: wrap at ${MAX_LINE}`]
      : [];
  });
}
