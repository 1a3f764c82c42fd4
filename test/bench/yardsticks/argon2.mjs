/**
 * Measures how many passwords this machine can verify without other work. For `{ ms, inFlight }` it verifies for that
 * long and returns the number per second and the CPU time of each in microseconds.
 */
import { createServer } from 'node:http';
import argon2 from 'argon2';

const PASSWORD = 'the passphrase of everybody here';
const hash = await argon2.hash(PASSWORD, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });

async function verify(ms, inFlight) {
  const before = process.cpuUsage();
  const since = performance.now();
  let count = 0;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() - since < ms) {
        if (!(await argon2.verify(hash, PASSWORD))) throw new Error('the right password does not match');
        count += 1;
      }
    }),
  );
  const seconds = (performance.now() - since) / 1000;
  const { user, system } = process.cpuUsage(before);
  return { perSecond: count / seconds, cpu: (user + system) / count };
}

process.on('message', (message) => {
  if (typeof message !== 'object') return;
  verify(message.ms, message.inFlight).then((result) => process.send(result));
});
// The first hashes of each thread are slow: their memory is new.
await verify(2_000, Number(process.env['UV_THREADPOOL_SIZE']));
// Only to say that it is ready.
createServer((_request, response) => response.end()).listen(Number(process.env['PORT']), '127.0.0.1');
