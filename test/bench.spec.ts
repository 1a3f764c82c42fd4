import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { onServer, serverUrl } from './support/database.js';

const PATIENCE = 180_000;
const itOnServer = onServer ? it : it.skip;
/** What needs no database is tried once. */
const once = onServer ? describe.skip : describe;
const folder = mkdtempSync(join(tmpdir(), 'traffy-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a benchmark so short that it only tells whether it works. */
function bench(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const path = join(import.meta.dirname, 'bench', script);
  const { PATH = '' } = process.env;
  return new Promise<Run>((resolve) => {
    execFile(
      process.execPath,
      [path, '--quick', ...args],
      { env: { PATH, ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code) : 0, stdout, stderr });
      },
    );
  });
}

interface Figures {
  readonly doubts: string[];
  readonly targets: {
    name: string;
    ratio: { median: number };
    cpu_us: { median: number };
    latency_ms: { count: number };
    rounds: { ratio: number[] };
  }[];
}

once('npm run bench', () => {
  it(
    'prints the CPU time of a request as a ratio to the yardstick, and marks results without meaning',
    async () => {
      const json = join(folder, 'me.json');
      const { code, stdout } = await bench('bench.mjs', ['--targets', 'nest-fastify', '--json', json]);
      expect(code).toBe(0);
      expect(stdout).toMatch(/\| nest-fastify +\| +0\.\d{3} \|/);
      expect(stdout).toContain('- only 5 rounds');
      const { targets, doubts } = JSON.parse(readFileSync(json, 'utf8')) as Figures;
      expect(targets.map(({ name }) => name)).toEqual(['bare', 'nest-fastify']);
      const [bare, nest] = targets;
      expect(bare?.rounds.ratio).toEqual([1, 1, 1, 1, 1]);
      expect(nest?.cpu_us.median).toBeGreaterThan(1);
      expect(nest?.latency_ms.count).toBeGreaterThanOrEqual(50);
      expect(doubts).toContain('only 5 rounds');
    },
    PATIENCE,
  );

  it('names a missing variable and measures nothing', async () => {
    for (const script of ['bench.mjs', 'sign-in.mjs', 'light.mjs']) {
      const { code, stdout, stderr } = await bench(script, []);
      expect({ script, code, stdout }).toEqual({ script, code: 1, stdout: '' });
      expect(stderr).toContain('BENCH_DATABASE_URL names no PostgreSQL server');
    }
  });
});

describe('npm run bench on a server', () => {
  itOnServer(
    'profiles GET /me by layer',
    async () => {
      const output = join(folder, 'me.cpuprofile');
      const env = { BENCH_DATABASE_URL: serverUrl ?? '' };
      const { code, stdout } = await bench('profile.mjs', ['--output', output], env);
      expect(code).toBe(0);
      const rows = [...stdout.matchAll(/^\| (?<layer>[a-zA-Z(][^|]*?) +\| +(?<share>[\d.]+) % \|/gm)];
      const layers = rows.map(({ groups }) => groups?.['layer']);
      for (const layer of ['Nest', 'Fastify', 'rate limit', 'log line (pino)'])
        expect(layers).toContain(layer);
      for (const part of [/^authentication \(/, /\(node:http\)$/])
        expect(layers.some((layer) => part.test(layer ?? ''))).toBe(true);
      const sum = rows.reduce((all, { groups }) => all + Number(groups?.['share']), 0);
      expect(Math.round(sum)).toBe(100);
      expect(JSON.parse(readFileSync(output, 'utf8'))).toHaveProperty('samples');
    },
    PATIENCE,
  );

  itOnServer(
    'fails if a target does not answer with the signed-in user',
    async () => {
      const args = ['--targets', 'traffy-session', '--set', 'RATE_LIMIT_DEFAULT=100/1m'];
      const { code, stderr } = await bench('bench.mjs', args, { BENCH_DATABASE_URL: serverUrl ?? '' });
      expect(code).toBe(1);
      expect(stderr).toContain('traffy-session answered 429');
    },
    PATIENCE,
  );
});
