/**
 * Refuses text functions with Unicode meaning in code that parses protocol text. `src/platform/http/ascii.ts` has the
 * functions to use. A line whose text was checked, or is our own, says so: `// Safe text: <reason>` above it.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

/** Where header fields, cookies, URLs, addresses and tokens are parsed. */
const PARSERS = [
  'src/platform/http',
  'src/platform/fastify',
  'src/platform/throttle',
  'src/auth/credentials',
  'src/auth/strategies',
  'src/services',
  'src/verify',
  'src/mail/mailbox.ts',
];
/** The module that implements the replacements. */
const ASCII = 'src/platform/http/ascii.ts';
const EXEMPTION = /\/\/ Safe text: \S/;

const BANNED = [
  [/\.trim(Start|End|Left|Right)?\(/, 'trim: use trimBlanks()'],
  [/\.to(Locale)?LowerCase\(/, 'toLowerCase: use lowerAscii()'],
  [/\.to(Locale)?UpperCase\(/, 'toUpperCase: use upperAscii()'],
  [/\.(normalize|localeCompare)\(/, 'normalize, localeCompare: compare bytes'],
  [/\\[sSwWbB](?![\w])|\\[sSwWbB][*+?{)\]/$|]/, 'a Unicode class of a pattern: list the characters'],
  [/\\[pP]\{/, 'a Unicode property: list the characters'],
  // cspell:ignore dgmsy
  [
    /\/[dgmsy]*(i[dgmsy]*[uv]|[uv][dgmsy]*i)[dgmsy]*(?=[.,;)\s])/,
    'the flags i and u together match beyond ASCII',
  ],
  [
    /(?<![\w.])(Number|parseInt|parseFloat)\(|Number\.parse(Int|Float)\(/,
    'Number: check the digits by a pattern',
  ],
  [/\brequest\.ips?\b/, 'request.ip: use request.clientAddress'],
];

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', ...PARSERS], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file.endsWith('.ts') && file !== ASCII);

const findings = files.flatMap((file) => findingsIn(file));
for (const finding of findings) process.stderr.write(`${finding}\n`);
if (findings.length > 0) process.stderr.write(`\n${findings.length} findings: see ${ASCII}\n`);
process.exitCode = findings.length > 0 ? 1 : 0;

function findingsIn(file) {
  const lines = read(file).split('\n');
  return lines.flatMap((line, index) => {
    if (/^\s*(\*|\/\/|\/\*)/.test(line) || EXEMPTION.test(lines[index - 1] ?? '')) return [];
    return BANNED.filter(([pattern]) => pattern.test(line)).map(
      ([, advice]) => `${file}:${index + 1}: ${advice}`,
    );
  });
}

function read(file) {
  try {
    return readFileSync(join(root, file), 'utf8');
  } catch {
    // Deleted, and not committed yet.
    return '';
  }
}
