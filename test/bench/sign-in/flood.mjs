import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import { send } from '../harness/load.mjs';
import { watchMemory } from '../harness/memory.mjs';
import { fixed, mebibytes, printTable, progress } from '../harness/report.mjs';
import { openService, seen, whileAsked } from './subjects.mjs';

const PEOPLE = { count: 200, passwordBytes: 1024 };
/** Of the parameters in force: what one hash takes, in bytes. */
const HASH_BYTES = 19_456 * 1024;

/**
 * Many sign-ins at the same moment, several times: what memory it takes, what is answered, and how quick the service stays.
 *
 * @param options `rounds`, and `set` for settings that differ.
 */
export async function measureFlood({ rounds, set }, server, cores, context) {
  const concurrency = Number(set['ARGON2_CONCURRENCY'] ?? Math.min(cores, 3));
  const settings = { ...set, ARGON2_CONCURRENCY: String(concurrency) };
  const service = await openService('traffy', server, PEOPLE, settings, context);
  const pool = new Pool(service.running.origin, { connections: PEOPLE.count, pipelining: 1 });
  context.defer(() => pool.destroy());
  const floods = [];
  for (let round = 0; round < rounds; round += 1) {
    context.signal.throwIfAborted();
    floods.push(await flood(service, pool));
    progress(`flood ${round + 1} of ${rounds}`);
  }
  return {
    argon2_concurrency: concurrency,
    hashes_mib: mebibytes(concurrency * HASH_BYTES),
    floods,
    ...seen(service),
  };
}

async function flood(service, pool) {
  await whileAsked(service, 'idle', () => pause(1000));
  const before = await service.running.usage();
  const stopWatching = watchMemory(service.running, 20);
  const since = performance.now();
  const replies = await whileAsked(service, 'busy', () =>
    Promise.all(service.signIns.map((request) => send(pool, request))),
  );
  const ms = performance.now() - since;
  const most = await stopWatching();
  const statuses = Object.groupBy(replies, ({ status }) => status);
  const { 200: signedIn = [], 503: refused = [], ...others } = statuses;
  const [strange] = Object.values(others).flat();
  if (strange) throw new Error(`POST /login answered ${strange.status}: ${strange.body}`);
  if (refused.some(({ retryAfter }) => retryAfter === undefined)) throw new Error('a 503 has no Retry-After');
  return {
    signed_in: signedIn.length,
    refused: refused.length,
    ms,
    rss_before_mib: mebibytes(before.rss),
    rss_most_mib: mebibytes(most),
    growth_mib: mebibytes(most - before.rss),
  };
}

export function printFlood({ argon2_concurrency: concurrency, hashes_mib: hashes, floods, ...questions }) {
  printTable(
    [
      `${PEOPLE.count} concurrent sign-ins`,
      '200',
      '503',
      'ms',
      'RSS before MiB',
      'at most',
      'growth',
      'hashes',
    ],
    floods.map((one, index) => [
      `ARGON2_CONCURRENCY ${concurrency}, flood ${index + 1}`,
      String(one.signed_in),
      String(one.refused),
      fixed(one.ms, 0),
      fixed(one.rss_before_mib, 0),
      fixed(one.rss_most_mib, 0),
      fixed(one.growth_mib, 0),
      fixed(hashes, 0),
    ]),
  );
  const cells = ({ p50, p99, max }) => [fixed(p50), fixed(p99), fixed(max)];
  printTable(
    ['during sign-ins, ms', 'idle p50', 'p99', 'longest', 'busy p50', 'p99', 'longest'],
    Object.entries({
      '/me': questions.me,
      '/health/live': questions.live,
      '/health/live on new connections': questions.live_new_connection,
    }).map(([name, { idle_ms: idle, busy_ms: busy }]) => [name, ...cells(idle), ...cells(busy)]),
  );
}
