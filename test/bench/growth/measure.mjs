import { Client } from './client.mjs';
import { openMeter } from './service.mjs';
import { median, quartiles } from './statistics.mjs';

/**
 * Measures calls on several databases in turns: every database gets the same part of each round, and ratios are
 * computed within a round, so that other load of the machine affects all of them.
 *
 * @param targets databases, each with a service and its calls.
 * @returns for each call the figures of each target, and the ratios of the last target to the first.
 */
export async function measureCalls(targets, { rounds, requests }, tell) {
  const meters = await Promise.all(
    targets.map(async ({ service, database }) => ({
      client: new Client(service.origin),
      read: await openMeter(service, database.databaseUrl),
    })),
  );
  const results = [];
  for (const [index, { name, share }] of targets[0].calls.entries()) {
    const count = Math.max(5, Math.round(requests * share));
    const samples = targets.map(() => []);
    // One round ahead that does not count.
    for (let round = -1; round < rounds; round += 1) {
      const order = round % 2 === 0 ? [...targets.keys()] : [...targets.keys()].toReversed();
      for (const at of order) {
        const sample = await measureRound(targets[at], meters[at], index, count);
        if (round >= 0) samples[at].push(sample);
      }
    }
    results.push(summarise(name, targets, samples));
    tell(`measured ${name}`);
  }
  for (const { client } of meters) client.close();
  return results;
}

async function measureRound({ database, calls }, { client, read }, index, count) {
  const { prepare, send, check = () => true, status = 200, name } = calls[index];
  if (name.startsWith('DELETE')) await database.prepareOwned(count);
  const parameters = Array.from({ length: count }, () => prepare());
  await client.send('GET', '/health/live', {});
  await read();
  const times = [];
  for (const parameter of parameters) {
    const reply = await send(client, parameter);
    if (reply.status !== status || !check(reply))
      throw new Error(`${name} answered ${reply.status} ${JSON.stringify(reply.body)}`);
    times.push(reply.ms);
  }
  const spent = await read();
  return {
    ms: median(times),
    service: spent.service / count / 1000,
    database: spent.database / count / 1000,
    both: (spent.service + spent.database) / count / 1000,
  };
}

const FIGURES = ['ms', 'service', 'database', 'both'];

function summarise(name, targets, samples) {
  const figures = {};
  for (const figure of FIGURES) {
    const values = samples.map((rounds) => rounds.map((sample) => sample[figure]));
    const [first] = values;
    const last = values.at(-1);
    const ratios = last.map((value, round) => (first[round] > 0 ? value / first[round] : 1));
    figures[figure] = {
      medians: Object.fromEntries(targets.map(({ database }, at) => [database.name, median(values[at])])),
      ratio: median(ratios),
      quartiles: quartiles(ratios),
    };
  }
  return { name, figures };
}
