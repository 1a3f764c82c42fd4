/**
 * How many random passphrases the password policy refuses as guessable, and what the check costs.
 *
 *     npm run build && npm run bench:passphrases [-- --json] [-- --samples=10000]
 *
 * Passphrases of three, four and five words of the EFF's long word list (7,776 words), each of 15 characters or more: joined
 * by a space, by a hyphen, and by nothing with a digit at the end. The random numbers are the same in every run. The cost is
 * measured with these, and with the worst passwords that were found.
 */
import { parseArgs } from 'node:util';
import { dictionary } from '@zxcvbn-ts/language-common';
import { strengthOf } from '../../dist/src/users/passwords/password-strength.js';

const { values } = parseArgs({
  options: { json: { type: 'boolean' }, samples: { type: 'string', default: '10000' } },
});
const samples = Number(values.samples);
const LENGTH_MIN = 15;
/** That of `PasswordPolicy`. */
const GUESSES_LOG10 = 10;
const CONTEXT = ['traffy', 'localhost', 'marguerite', 'example', 'com'];
const WORDS = dictionary['diceware-common'];
const FORMS = {
  'with spaces': (words) => words.join(' '),
  'with hyphens': (words) => words.join('-'),
  'joined, with a digit': (words) => `${words.join('')}${Math.floor(random() * 10)}`,
};
const WORST = {
  'a password in look-alikes': 'p@$$w0rd1'.repeat(113),
  'all look-alikes': '4@8({[3691!|0$5+7%2'.repeat(53),
  'one letter': 'a'.repeat(1024),
  'a keyboard row': 'asdf'.repeat(256),
  'letters that expand': '\u{fdfa}'.repeat(341),
  'digits and dots': '1.2.'.repeat(256),
};

// Good enough to choose words, and the same in every run.
let state = 0x9e3779b9;
function random() {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) / 2 ** 32;
}

function passphrase(count, form) {
  for (;;) {
    const words = Array.from({ length: count }, () => WORDS[Math.floor(random() * WORDS.length)]);
    const made = form(words);
    if (made.length >= LENGTH_MIN) return made;
  }
}

async function timed(password) {
  const since = performance.now();
  const { guessesLog10 } = await strengthOf(password, CONTEXT);
  return { ms: performance.now() - since, guessesLog10 };
}

const rounded = (ms) => Number(ms.toFixed(1));
await timed('a password to load the word lists');
const refusals = [];
for (const count of [3, 4, 5]) {
  for (const [name, form] of Object.entries(FORMS)) {
    const times = [];
    let refused = 0;
    let lowest = Infinity;
    for (let n = 0; n < samples; n += 1) {
      const { ms, guessesLog10 } = await timed(passphrase(count, form));
      times.push(ms);
      lowest = Math.min(lowest, guessesLog10);
      if (guessesLog10 < GUESSES_LOG10) refused += 1;
    }
    const sorted = times.toSorted((a, b) => a - b);
    refusals.push({
      words: count,
      form: name,
      refused,
      lowest: rounded(lowest),
      medianMs: rounded(sorted[Math.floor(samples / 2)]),
      p99Ms: rounded(sorted[Math.floor(samples * 0.99)]),
    });
  }
}
const worst = [];
for (const [name, password] of Object.entries(WORST)) {
  const times = [];
  for (let run = 0; run < 5; run += 1) times.push((await timed(password)).ms);
  worst.push({ name, medianMs: rounded(times.toSorted((a, b) => a - b)[2]) });
}
if (values.json) {
  process.stdout.write(`${JSON.stringify({ samples, refusals, worst })}\n`);
} else {
  const lines = refusals.map(
    ({ words, form, refused, lowest, medianMs, p99Ms }) =>
      `${words} words ${form}: ${refused} refused, the weakest of 10^${lowest} guesses; ${medianMs} ms, p99 ${p99Ms} ms`,
  );
  const dear = worst.map(({ name, medianMs }) => `${name}: ${medianMs} ms`);
  process.stdout.write(
    [`of ${samples} passphrases each:`, ...lines, 'worst passwords:', ...dear, ''].join('\n'),
  );
}
