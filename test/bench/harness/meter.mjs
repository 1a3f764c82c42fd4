/**
 * Preloaded into the server that is measured (`node --import`): answers over the IPC channel what the process has used,
 * and what a profile of it says.
 * The kernel counts for the whole process, so threads (libuv's, V8's) are in it.
 */
import { isMainThread } from 'node:worker_threads';

/** Microseconds between two samples of a profile. */
const SAMPLING = 250;
let session;

async function startProfile() {
  const { Session } = await import('node:inspector/promises');
  session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLING });
  await session.post('Profiler.start');
  return 'profiling';
}

async function endProfile() {
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  return profile;
}

// Threads and forks of the server are started with the same flags.
if (isMainThread && process.send) {
  process.on('message', async (message) => {
    if (message === 'profile') return process.send(await startProfile());
    if (message === 'profiled') return process.send(await endProfile());
    if (message !== 'usage') return;
    const { user, system } = process.cpuUsage();
    const { maxRSS, minorPageFault } = process.resourceUsage();
    const rss = process.memoryUsage.rss();
    process.send({
      cpu: user + system,
      kernel: system,
      rss,
      maxRss: maxRSS * 1024,
      pageFaults: minorPageFault,
    });
  });
  // A benchmark that was killed leaves no server behind.
  process.on('disconnect', () => process.exit());
  process.channel.unref();
}
