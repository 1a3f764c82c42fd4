import { readdirSync, readFileSync } from 'node:fs';

/**
 * Nanoseconds of CPU time that a process had until now, all of its threads together; null if it is gone. Linux: what the
 * scheduler counted, which is finer than the hundredths of a second of `ps`.
 */
export function processorTime(pid) {
  try {
    let sum = 0;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const [time = '0'] = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ');
      sum += Number(time);
    }
    return sum;
  } catch {
    return null;
  }
}
