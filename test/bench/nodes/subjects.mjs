import { record } from '../harness/load.mjs';
import { post } from '../harness/traffy.mjs';

/** The CPU time of several servers together, in microseconds. */
export async function sumOf(servers) {
  const usages = await Promise.all(servers.map((server) => server.usage()));
  return usages.reduce((sum, { cpu }) => sum + cpu, 0);
}

async function isLive({ origin }, headers) {
  const reply = await fetch(`${origin}/me`, { headers });
  return (await reply.json())['logged_in'] === true;
}

/**
 * Signs out at the first of several nodes that all remember a credential, and notes for each other one the time from the
 * arrival of the reply until it refuses.
 */
export async function untilRefused([first, ...others], headers, histogram) {
  for (const node of [first, ...others]) {
    if (!(await isLive(node, headers))) throw new Error('a fresh credential was refused');
  }
  await post(first.origin, '/logout', {}, headers);
  const since = performance.now();
  await Promise.all(
    others.map(async (node) => {
      while (await isLive(node, headers));
      record(histogram, since);
    }),
  );
}
