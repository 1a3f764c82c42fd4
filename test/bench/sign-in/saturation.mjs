import { setTimeout as pause } from 'node:timers/promises';
import { Pool } from 'undici';
import { latencies, percentiles, record, send } from '../harness/load.mjs';
import { watchMemory } from '../harness/memory.mjs';
import { fixed, mebibytes, printTable } from '../harness/report.mjs';
import { inRounds } from '../harness/rounds.mjs';
import { divided, median, spread, summary } from '../harness/statistics.mjs';
import { openReference, openService, seen, whileAsked } from './subjects.mjs';

/** People who sign in, by turns. */
const PEOPLE = { count: 64, passwordBytes: 24 };
/** The middle half of what argon2 alone verifies may spread over this share of its median. */
const SPREAD_MAX = 0.1;

/**
 * Sign-ins a second for several values of ARGON2_CONCURRENCY, beside what argon2 alone verifies: in turns, several rounds.
 *
 * @param options `concurrency`, `inFlight`, `rounds`, `seconds`, and `set` for other settings.
 */
export async function measureSaturation(options, server, cores, context) {
  const counters = () => ({
    perSecond: [],
    cpu: [],
    pageFaults: [],
    took: latencies(),
    refused: 0,
    rss: 0,
    next: 0,
  });
  const reference = { ...(await openReference(cores, context)), ...counters() };
  const services = [];
  for (const concurrency of options.concurrency) {
    context.signal.throwIfAborted();
    const settings = { ...options.set, ARGON2_CONCURRENCY: String(concurrency) };
    const service = await openService(`traffy-${concurrency}`, server, PEOPLE, settings, context);
    services.push({ ...service, ...counters(), concurrency });
    await signInOnce(service, options.inFlight);
  }
  const subjects = [reference, ...services];
  await inRounds(options.rounds, subjects, (subject) => visit(subject, options, cores), context.signal);
  return results(reference, services);
}

/** Everybody once, uncounted: from then on their devices are known, and the code is compiled. */
async function signInOnce({ running, signIns }, inFlight) {
  const pool = new Pool(running.origin, { connections: inFlight, pipelining: 1 });
  const replies = await Promise.all(signIns.map((request) => send(pool, request)));
  await pool.destroy();
  const bad = replies.find(({ status }) => status !== 200);
  if (bad) throw new Error(`POST /login answered ${bad.status}: ${bad.body}`);
}

async function visit(subject, { seconds, inFlight }, cores) {
  const ms = seconds * 1000;
  await whileAsked(subject, 'idle', () => pause(ms));
  const work = subject.argon2
    ? () => subject.argon2.ask({ ms, inFlight: cores })
    : () => measured(subject, () => signInFor(ms, subject, inFlight));
  const { perSecond, cpu } = await whileAsked(subject, 'busy', work);
  subject.perSecond.push(perSecond);
  subject.cpu.push(cpu);
}

/** The CPU time of each sign-in in microseconds, and the memory during the measurement. */
async function measured(service, work) {
  const before = await service.running.usage();
  const stopWatching = watchMemory(service.running, 100);
  const { perSecond, count } = await work();
  service.rss = Math.max(service.rss, await stopWatching());
  const after = await service.running.usage();
  service.pageFaults.push((after.pageFaults - before.pageFaults) / count);
  return { perSecond, cpu: (after.cpu - before.cpu) / count };
}

/** Signs users in in turns, with a fixed concurrency. A 503 is counted; any other status but 200 is an error. */
async function signInFor(ms, service, inFlight) {
  const pool = new Pool(service.running.origin, { connections: inFlight, pipelining: 1 });
  const since = performance.now();
  let count = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() - since < ms) {
        const sent = performance.now();
        const { status, body } = await send(pool, service.signIns[service.next++ % service.signIns.length]);
        if (status === 503) {
          service.refused += 1;
          continue;
        }
        if (status !== 200) throw new Error(`POST /login answered ${status}: ${body}`);
        count += 1;
        record(service.took, sent);
      }
    }),
  );
  const seconds = (performance.now() - since) / 1000;
  await pool.destroy();
  return { perSecond: count / seconds, count };
}

function results(reference, services) {
  const alone = summary(reference.perSecond);
  return {
    doubts:
      spread(alone) > SPREAD_MAX
        ? [`the middle half of what argon2 alone verifies spreads over ${fixed(spread(alone) * 100, 0)} %`]
        : [],
    argon2_alone: {
      verified_per_second: alone,
      cpu_ms: median(reference.cpu) / 1000,
      beside_it: seen(reference).anything,
    },
    services: services.map((service) => ({
      argon2_concurrency: service.concurrency,
      sign_ins_per_second: summary(service.perSecond),
      ratio: summary(divided(service.perSecond, reference.perSecond)),
      cpu_ratio: summary(divided(reference.cpu, service.cpu)),
      cpu_ms: median(service.cpu) / 1000,
      page_faults: median(service.pageFaults),
      sign_in_ms: percentiles(service.took),
      ...seen(service),
      rss_mib: mebibytes(service.rss),
      refused: service.refused,
    })),
  };
}

export function printSaturation({ argon2_alone: alone, services }) {
  const pair = ({ p50, p99 }) => `${fixed(p50)} / ${fixed(p99)}`;
  printTable(
    [
      'ARGON2_CONCURRENCY',
      'a second',
      'of argon2 alone',
      'quartiles',
      'CPU ms',
      'by CPU time',
      'sign-in p50 / p99 ms',
      'RSS MiB',
      '503',
    ],
    [
      [
        'argon2 alone',
        fixed(alone.verified_per_second.median, 1),
        '1',
        '',
        fixed(alone.cpu_ms, 1),
        '1',
        '',
        '',
        '',
      ],
      ...services.map((one) => [
        String(one.argon2_concurrency),
        fixed(one.sign_ins_per_second.median, 1),
        fixed(one.ratio.median),
        `${fixed(one.ratio.q1)} to ${fixed(one.ratio.q3)}`,
        fixed(one.cpu_ms, 1),
        fixed(one.cpu_ratio.median),
        pair(one.sign_in_ms),
        fixed(one.rss_mib, 0),
        String(one.refused),
      ]),
    ],
  );
  printTable(
    [
      'p50 / p99 ms during sign-ins',
      '/me idle',
      '/me busy',
      '/health/live idle',
      '/health/live busy',
      'on new connections',
    ],
    [
      [
        'bare, argon2 alone beside it',
        pair(alone.beside_it.idle_ms),
        pair(alone.beside_it.busy_ms),
        '',
        '',
        '',
      ],
      ...services.map(({ argon2_concurrency: concurrency, me, live, live_new_connection: fresh }) => [
        String(concurrency),
        pair(me.idle_ms),
        pair(me.busy_ms),
        pair(live.idle_ms),
        pair(live.busy_ms),
        pair(fresh.busy_ms),
      ]),
    ],
  );
}
