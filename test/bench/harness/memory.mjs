import { setTimeout as pause } from 'node:timers/promises';

/**
 * Looks again and again how much memory a server holds.
 *
 * @returns what ends it, and gives the most that was seen, in bytes.
 */
export function watchMemory(server, everyMs) {
  const end = new AbortController();
  const watching = look(server, everyMs, end.signal);
  watching.catch(() => undefined);
  return () => {
    end.abort();
    return watching;
  };
}

async function look(server, everyMs, signal) {
  let most = 0;
  while (!signal.aborted) {
    const { rss } = await server.usage();
    most = Math.max(most, rss);
    await pause(everyMs);
  }
  return most;
}
