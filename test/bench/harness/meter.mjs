/**
 * Preloaded into the server that is measured (`node --import`): answers over the IPC channel what the process has used.
 * The kernel counts for the whole process, so threads (libuv's, V8's) are in it.
 */
import { isMainThread } from 'node:worker_threads';

// Threads and forks of the server are started with the same flags.
if (isMainThread && process.send) {
  process.on('message', (message) => {
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
