import { percentiles } from '../harness/load.mjs';
import { fixed, mebibytes, printTable } from '../harness/report.mjs';
import { divided, spread, summary, uncertainty } from '../harness/statistics.mjs';
import { YARDSTICK } from '../harness/targets.mjs';

/** How well a ratio must be known, how little the yardstick may swing over the rounds, and how many there must be. */
const BOUNDS = { ratio: 0.05, yardstick: 0.2, rounds: 10 };

/**
 * The figures of all targets. Ratios are computed per round, against the yardstick of the same round, so that other
 * load of the machine affects both.
 *
 * @param busy why the machine was busy before the measurement, or null.
 */
export function results(all, busy) {
  const bare = all.find(({ name }) => name === YARDSTICK);
  const targets = all.map(({ name, target, cpu, kernel, perSecond, latencies, rss }) => {
    const ratios = divided(bare.cpu, cpu);
    const ratio = summary(ratios);
    return {
      name,
      about: target.about,
      ratio,
      verdict: verdictOn(ratio),
      cpu_us: summary(cpu),
      kernel_us: summary(kernel),
      requests_per_second: summary(perSecond),
      latency_ms: percentiles(latencies),
      rss_mib: mebibytes(rss),
      rounds: { cpu_us: cpu, ratio: ratios },
    };
  });
  return { bounds: BOUNDS, doubts: doubts(targets, busy), targets, comparison: comparison(all) };
}

function verdictOn(ratio) {
  return uncertainty(ratio) <= BOUNDS.ratio ? 'clear' : `noisy, ±${fixed(uncertainty(ratio) * 100, 0)} %`;
}

function doubts(targets, busy) {
  const swing = spread(targets.find(({ name }) => name === YARDSTICK).cpu_us);
  const noisy = targets.filter(({ verdict }) => verdict !== 'clear').map(({ name }) => name);
  const { length: rounds } = targets[0].rounds.cpu_us;
  return [
    ...(busy ? [busy] : []),
    ...(rounds < BOUNDS.rounds ? [`only ${rounds} rounds`] : []),
    ...(swing > BOUNDS.yardstick
      ? [`the middle half of the yardstick's rounds spreads over ${fixed(swing * 100, 0)} % of its median`]
      : []),
    ...(noisy.length > 0
      ? [`the median ratio is known no better than ±${BOUNDS.ratio * 100} % for ${noisy.join(', ')}`]
      : []),
  ];
}

/** How many times the CPU time of ours each other target takes, round by round. */
function comparison(all) {
  const ours = all.filter(({ target }) => target.needs === 'build');
  return all.flatMap((other) =>
    ours
      .filter((own) => own !== other)
      .map((own) => ({ name: other.name, against: own.name, times: summary(divided(other.cpu, own.cpu)) })),
  );
}

export function printRatios({ targets }) {
  printTable(
    [
      'CPU time of one request',
      'ratio to bare',
      'quartiles',
      'µs',
      'of it in the kernel',
      'requests/s',
      'p50 ms',
      'p99 ms',
      'verdict',
    ],
    targets.map(
      ({
        name,
        ratio,
        cpu_us: cpu,
        kernel_us: kernel,
        requests_per_second: rate,
        latency_ms: latency,
        verdict,
      }) => [
        name,
        fixed(ratio.median, 3),
        `${fixed(ratio.q1, 3)} to ${fixed(ratio.q3, 3)}`,
        fixed(cpu.median, 1),
        fixed(kernel.median, 1),
        fixed(rate.median, 0),
        fixed(latency.p50),
        fixed(latency.p99),
        verdict,
      ],
    ),
  );
}

export function printComparison({ targets, comparison: pairs }) {
  const ours = [...new Set(pairs.map(({ against }) => against))];
  if (ours.length === 0) return;
  const cell = (name, against) => {
    const pair = pairs.find((one) => one.name === name && one.against === against);
    return pair ? `${fixed(pair.times.median)} (${fixed(pair.times.q1)} to ${fixed(pair.times.q3)})` : '';
  };
  printTable(
    ['times the CPU time of', ...ours],
    targets.map(({ name }) => [name, ...ours.map((against) => cell(name, against))]),
  );
}
