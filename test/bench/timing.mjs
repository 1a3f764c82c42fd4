/**
 * Whether the time of an answer tells what it does not say: a process of its own, sign-ins that fail for every reason there
 * is, interleaved and in another order each round, and each reason compared with a wrong password; forgotten passwords of
 * known and unknown addresses; and sign-ups with free and taken ones.
 *
 *     npm run build && npm run bench:timing [-- --json] [-- --samples=400]
 *
 * Runs on an embedded database, or on a new database of the server that BENCH_DATABASE_URL names. Of each pair it prints the
 * medians, their difference with a 99 % interval (bootstrap) and the two-sided p of Mann and Whitney's test. A pair fails if
 * the difference is clear (p < 0.001, and 0 outside the interval) and more than BOUND. Ends with 1 if one fails, with 2 if it
 * could not measure; within five minutes.
 */
import { spawn } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import argon2 from 'argon2';
import bcrypt from 'bcrypt';
import { sql } from 'kysely';
import { createDatabase } from './harness/database.mjs';
import { freePort, root } from './harness/server.mjs';
import { median } from './harness/statistics.mjs';

/** Milliseconds. A hash takes ten times as long; of what lies below, a network leaves little to be seen. */
const BOUND = 2;
const CLEAR = 0.001;
const SAMPLES_MIN = 200;
const WARM_UP = 8;
const RESAMPLES = 1_000;
/** Guesses at one account: fewer than those from which on each begins a delay. */
const GUESSES = 15;
/** Sign-ups with one address: no more than bring its owner a mail. */
const ATTEMPTS = 5;

const { values: options } = parseArgs({
  options: { json: { type: 'boolean' }, samples: { type: 'string', default: String(SAMPLES_MIN) } },
});
const wanted = Number(options.samples);
if (!Number.isInteger(wanted) || wanted < SAMPLES_MIN) {
  process.stderr.write(`--samples takes a whole number, ${SAMPLES_MIN} or more\n`);
  process.exit(2);
}
const began = performance.now();
const PASSWORD = 'the passphrase of everybody here';
const WRONG = 'some other passphrase than that';

/**
 * Why sign-ins fail. `password` is what is tried; `account` is what its owner's row has besides the usual, null for none;
 * `failures` is what was wrong before.
 */
const REASONS = {
  'wrong password': { password: WRONG, account: {} },
  'unknown address': { password: WRONG, account: null },
  'empty password': { password: '', account: {} },
  'locked, right password': { password: PASSWORD, account: {}, failures: 80 },
  'disabled, right password': { password: PASSWORD, account: { disabled_at: new Date() } },
  'not verified, right password': { password: PASSWORD, account: { email_verified_at: null } },
  'no password (passkey only)': { password: WRONG, account: { password_hash: null } },
};
/** Hashes of other kinds: as long as there is one, negative answers leave at the same moment whatever they cost. */
const FOREIGN = {
  'old Argon2 parameters': { password: WRONG, account: { password_hash: 'old' } },
  'imported bcrypt hash': { password: WRONG, account: { password_hash: 'bcrypt' } },
};
const pick = (...names) => Object.fromEntries(names.map((name) => [name, REASONS[name]]));
/** The one that all others are compared with. */
const REFERENCE = 'wrong password';
const FORGOTTEN = {
  known: 'forgotten password, known address',
  unknown: 'forgotten password, unknown address',
};
const SIGN_UP = {
  free: 'sign-up, free address',
  taken: 'sign-up, taken address',
  unproved: 'sign-up, unproved address',
};

/** Each on a start of its own, with the milliseconds from the beginning until it has to be done. */
const ROUNDS = {
  'all hashes alike': { reasons: REASONS, forgotten: true, until: 80_000 },
  'with hashes of other kinds': {
    reasons: { ...pick(REFERENCE, 'unknown address', 'disabled, right password'), ...FOREIGN },
    until: 230_000,
  },
  'sign-ups': { reasons: {}, signUps: true, until: 290_000 },
};

/** An empty database, as settings for a node. */
async function makeDatabase() {
  const dataDir = mkdtempSync(join(tmpdir(), 'traffy-bench-'));
  const removeData = () => rmSync(dataDir, { recursive: true, force: true });
  const server = process.env['BENCH_DATABASE_URL'];
  if (!server) return { env: { DATA_DIR: dataDir }, drop: removeData };
  const { url, drop } = await createDatabase(server);
  return { env: { DATA_DIR: dataDir, DATABASE_URL: url }, drop: () => drop().finally(removeData) };
}

/** `dist`, as it was built. */
async function built(path) {
  return import(join(root, 'dist', path)).catch((cause) => {
    process.stderr.write(`dist cannot be loaded (npm run build makes it): ${cause.message}\n`);
    process.exit(2);
  });
}

/** Migrates the database and makes the accounts of a round, before anything serves on it. */
async function fill(env, round) {
  const { loadConfig } = await built('config/load.config.js');
  const { ENTITIES } = await built('src/entities.js');
  const { openDatabase } = await built('src/platform/database/open.database.js');
  const open = await openDatabase(loadConfig(env).database, ENTITIES, () => undefined);
  const argon2id = (memoryCost, timeCost) =>
    argon2.hash(PASSWORD, { type: argon2.argon2id, memoryCost, timeCost, parallelism: 1 });
  const hashes = {
    today: await argon2id(19_456, 2),
    old: await argon2id(4_096, 3),
    bcrypt: await bcrypt.hash(PASSWORD, 8),
  };
  const add = async (email, account, failures) => {
    const row = { email_verified_at: new Date(), disabled_at: null, password_hash: 'today', ...account };
    const hash = row.password_hash && hashes[row.password_hash];
    await open.database.query(
      sql`insert into users (id, email, email_canonical, password_hash, email_verified_at, disabled_at)
          values (gen_random_uuid(), ${email}, ${email}, ${hash}, ${row.email_verified_at}, ${row.disabled_at})`,
    );
    if (failures)
      await open.database.query(
        sql`insert into guess_counters (authenticator, subject, network, is_account, failures)
            values ('password', sha256(convert_to(${email}, 'UTF8')), '', true, ${failures})`,
      );
  };
  for (const [name, { account, failures }] of Object.entries(ROUNDS[round].reasons)) {
    if (account === null) continue;
    for (let number = 0; number < accountsFor(GUESSES); number += 1)
      await add(addressOf(round, name, number), account, failures);
    if (name in FOREIGN) await add(addressOf(round, name, 'probe'), account);
  }
  if (ROUNDS[round].forgotten)
    for (let number = 0; number < accountsFor(GUESSES); number += 1)
      await add(addressOf(round, FORGOTTEN.known, number), {});
  if (ROUNDS[round].signUps)
    for (let number = 0; number < accountsFor(ATTEMPTS); number += 1) {
      await add(addressOf(round, SIGN_UP.taken, number), {});
      await add(addressOf(round, SIGN_UP.unproved, number), { email_verified_at: null });
    }
  await open.close();
}

/** How many accounts are asked for if each is asked for so often. */
const accountsFor = (times) => Math.ceil((WARM_UP + wanted) / times);

/** All are equally long. */
const addressOf = (...parts) =>
  `p${createHash('sha256').update(parts.join('/')).digest('hex').slice(0, 16)}@timing.example`;

async function startNode(env) {
  const port = await freePort();
  const child = spawn(process.execPath, [join(root, 'dist', 'src', 'main.js')], {
    env: { ...env, PORT: String(port) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const origin = `http://127.0.0.1:${port}`;
  for (let attempt = 0; attempt < 300 && child.exitCode === null; attempt += 1) {
    const answer = await fetch(`${origin}/health/ready`).catch(() => null);
    if (answer?.ok) return { origin, child };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error('the node did not come up');
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
let clients = 0;

/** Sends one request from an address of its own, on a connection that stays. */
function post(origin, path, body) {
  clients += 1;
  const headers = {
    'content-type': 'application/json',
    'x-forwarded-for': `198.${18 + (clients >> 16)}.${(clients >> 8) & 255}.${clients & 255}`,
  };
  return new Promise((resolve, reject) => {
    const since = performance.now();
    const call = request(`${origin}${path}`, { method: 'POST', agent, headers }, (reply) => {
      reply.resume();
      reply.once('error', reject);
      reply.once('end', () => resolve({ status: reply.statusCode, ms: performance.now() - since }));
    });
    call.once('error', reject);
    call.end(JSON.stringify(body));
  });
}

function shuffled(list) {
  const copy = [...list];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const other = randomInt(last + 1);
    [copy[last], copy[other]] = [copy[other], copy[last]];
  }
  return copy;
}

/**
 * What can be asked in a round: what makes its requests, what it has to answer, and with which other one its times are compared;
 * and what is left out.
 */
async function questions(origin, round) {
  const asked = [];
  const left = [];
  const addresses = (name, times) => (sample) => addressOf(round, name, Math.floor(sample / times));
  for (const [name, { password }] of Object.entries(ROUNDS[round].reasons)) {
    const probe = { email: addressOf(round, name, 'probe'), password: PASSWORD };
    if (name in FOREIGN && (await post(origin, '/login', probe)).status !== 200) {
      left.push(`${name}: not accepted here`);
      continue;
    }
    const address = addresses(name, GUESSES);
    asked.push({
      name,
      against: name === REFERENCE ? null : REFERENCE,
      path: '/login',
      status: 401,
      body: (sample) => ({ email: address(sample), password }),
    });
  }
  if (ROUNDS[round].forgotten) {
    const { status } = await post(origin, '/password/forgot', { email: addressOf(round, 'unknown') });
    if (status !== 202) left.push(`forgotten password: answers ${status}`);
    else
      for (const name of Object.values(FORGOTTEN)) {
        const against = name === FORGOTTEN.unknown ? null : FORGOTTEN.unknown;
        const address = addresses(name, GUESSES);
        const body = (sample) => ({ email: address(sample) });
        asked.push({ name, against, path: '/password/forgot', status, body });
      }
  }
  if (ROUNDS[round].signUps)
    for (const name of Object.values(SIGN_UP)) {
      const against = name === SIGN_UP.free ? null : SIGN_UP.free;
      const address = addresses(name, against ? ATTEMPTS : 1);
      const body = (sample) => ({ email: address(sample), password: PASSWORD });
      asked.push({ name, against, path: '/signup', status: 201, body });
    }
  return { asked, left };
}

async function measure(origin, asked, until) {
  const times = new Map(asked.map(({ name }) => [name, []]));
  for (let sample = 0; sample < WARM_UP + wanted; sample += 1) {
    if (performance.now() - began > until) break;
    for (const { name, path, status, body } of shuffled(asked)) {
      const reply = await post(origin, path, body(sample));
      if (reply.status !== status) throw new Error(`${name} answered ${reply.status}`);
      if (sample >= WARM_UP) times.get(name).push(reply.ms);
    }
  }
  return times;
}

const ascending = (list) => Float64Array.from(list).toSorted();

/** The middle 99 % of what the difference of the medians is when the samples are drawn again. */
function interval(one, other) {
  const again = (list) => Array.from(list, () => list[Math.floor(Math.random() * list.length)]);
  const differences = ascending(
    Array.from({ length: RESAMPLES }, () => median(again(one)) - median(again(other))),
  );
  return [differences[Math.floor(RESAMPLES * 0.005)], differences[Math.ceil(RESAMPLES * 0.995) - 1]];
}

/** The two-sided p of Mann and Whitney's test, by the normal approximation: times have hardly any ties. */
function rankTest(one, other) {
  const all = [...one.map((ms) => [ms, 1]), ...other.map((ms) => [ms, 0])].toSorted(([a], [b]) => a - b);
  const ranks = all.reduce((sum, [, isOne], index) => sum + (isOne ? index + 1 : 0), 0);
  const [n, m] = [one.length, other.length];
  const u = ranks - (n * (n + 1)) / 2;
  return normalTail((u - (n * m) / 2) / Math.sqrt((n * m * (n + m + 1)) / 12));
}

/** How likely a standard normal value lies at least as far from 0 (Abramowitz and Stegun 26.2.17). */
function normalTail(z) {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const series = [0.31938153, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
  const sum = series.reduce((total, factor, index) => total + factor * t ** (index + 1), 0);
  return Math.min(1, 2 * (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * sum);
}

function compare(name, against, times) {
  const [one, other] = [times.get(name), times.get(against)];
  const [low, high] = interval(one, other);
  const difference = median(one) - median(other);
  const p = rankTest(one, other);
  const isClear = p < CLEAR && (low > 0 || high < 0);
  const failed = isClear && Math.abs(difference) > BOUND;
  const verdict = failed ? 'differs' : isClear ? 'within the bound' : 'the same';
  return { name, against, median: median(one), difference, interval: [low, high], p, verdict, failed };
}

/** One round: its accounts, a node of its own, the samples, and what they say. */
async function run(round, env) {
  await fill(env, round);
  const node = await startNode(env);
  try {
    const { asked, left } = await questions(node.origin, round);
    const times = await measure(node.origin, asked, ROUNDS[round].until);
    const pairs = asked
      .filter(({ against }) => against !== null)
      .map(({ name, against }) => compare(name, against, times));
    return {
      round,
      samples: Math.min(...[...times.values()].map((list) => list.length)),
      pairs,
      left_out: left,
    };
  } finally {
    agent.destroy();
    node.child.kill('SIGTERM');
    if (node.child.exitCode === null) await once(node.child, 'exit');
  }
}

function print({ round, samples, pairs, left_out: left }) {
  const number = (value) => value.toFixed(2).padStart(7);
  const lines = pairs.map(
    ({ name, against, median: middle, difference, interval: [low, high], p, verdict }) =>
      `${name.padEnd(36)} ${number(middle)}   against ${against}: ${number(difference)}   99 % [${number(low)}, ${number(high)}]   p ${p.toFixed(4)}   ${verdict}`,
  );
  const reasons = left.map((reason) => `left out: ${reason}`);
  const head = `${round}: ${samples} samples each, in milliseconds; a clear difference of more than ${BOUND} fails`;
  process.stdout.write(`${[head, ...lines, ...reasons].join('\n')}\n\n`);
}

const { env: place, drop } = await makeDatabase();
const env = {
  APP_ENV: 'test',
  AUTH_SECRETS: randomBytes(48).toString('base64'),
  AUTH_REQUIRE_VERIFIED_EMAIL: 'true',
  LOG_LEVEL: 'warn',
  PUBLIC_URL: 'http://localhost:8000',
  TRUST_PROXY: '1',
  ...place,
};
try {
  const results = [];
  for (const round of Object.keys(ROUNDS)) {
    const result = await run(round, env);
    results.push(result);
    if (!options.json) print(result);
  }
  if (options.json)
    process.stdout.write(`${JSON.stringify({ bound_ms: BOUND, rounds: results }, null, 2)}\n`);
  if (results.some(({ samples }) => samples < SAMPLES_MIN)) {
    process.stderr.write(`fewer than ${SAMPLES_MIN} samples in the time there is: that tells nothing\n`);
    process.exitCode = 2;
  } else if (results.some(({ pairs }) => pairs.some(({ failed }) => failed))) process.exitCode = 1;
} finally {
  await drop();
}
