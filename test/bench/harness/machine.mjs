import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { root } from './server.mjs';

/** Of the processors, what others may use before figures are in doubt. */
const LOAD_MAX = 0.5;

/** What was measured on. Taken before anything starts: the load is that of others. */
export function machineFacts() {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memory_gib: Math.round(totalmem() / 2 ** 30),
    os: `${type()} ${release()}`,
    node: process.versions.node,
    load_before: loadavg()[0],
  };
}

/** A sentence on why figures may be in doubt before there are any, or null. */
export function busyMachine({ cores, load_before: load }) {
  if (load <= cores * LOAD_MAX) return null;
  return `others are using this machine: load average ${load.toFixed(1)} on ${cores} cores before it began`;
}

/** The versions of packages as they are installed. */
export function installedVersions(names, folder = root) {
  return Object.fromEntries(
    names.map((name) => [
      name,
      JSON.parse(readFileSync(join(folder, 'node_modules', name, 'package.json'), 'utf8')).version,
    ]),
  );
}
