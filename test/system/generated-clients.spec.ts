import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from '@jest/globals';
import { loadConfig } from '../../config/load.config.js';
import { describeApi } from '../../src/cli/describe-api.js';
import { TEST_SECRET } from '../support/app.js';
import { STRATEGIES } from '../support/strategies.js';

const tool = join(import.meta.dirname, '..', '..', 'tools', 'clients', 'clients.mjs');
const folder = mkdtempSync(join(tmpdir(), 'traffy-clients-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NAMES = ['all', ...STRATEGIES.map(({ strategy }) => strategy.replace(',', '-'))];

async function writeSpecifications(): Promise<void> {
  for (const strategy of ['all', ...STRATEGIES.map((row) => row.strategy)]) {
    const config = loadConfig({
      APP_ENV: 'test',
      AUTH_SECRETS: TEST_SECRET,
      ...(strategy !== 'all' && { AUTH_STRATEGY: strategy }),
    });
    const document = await describeApi(config, strategy === 'all' ? 'all' : config.auth.AUTH_STRATEGY);
    writeFileSync(join(folder, `${strategy.replace(',', '-')}.json`), JSON.stringify(document));
  }
}

function compile() {
  const { status, stdout, stderr } = spawnSync(process.execPath, [tool, folder], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

it('clients of openapi-typescript, orval and openapi-ts compile in every strategy and for the union [fault 42]', async () => {
  await writeSpecifications();
  expect(compile()).toEqual({
    status: 0,
    output: 'all, jwt-session, jwt, session-jwt, session: the clients compile\n',
  });
  // The programs have `@ts-expect-error`: they compile only if wrong values are errors.
  for (const name of NAMES)
    expect(readdirSync(join(folder, name))).toEqual(
      expect.arrayContaining(['every-strategy.ts', 'hey', 'orval.ts', 'types.ts']),
    );
});
