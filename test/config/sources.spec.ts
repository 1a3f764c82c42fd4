import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { developmentSecret } from '../../config/development-secret.config.js';
import { loadConfig, type Config } from '../../config/load.config.js';
import { TEST_SECRET } from '../support/app.js';
import { ALL, OTHER_SECRET, PRODUCTION, READ, REFUSED, refusals, type Env } from '../support/settings.js';

const execute = promisify(execFile);
const folder = mkdtempSync(join(tmpdir(), 'traffy-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let files = 0;

function fileWith(content: string): string {
  files += 1;
  const path = join(folder, `file-${files}`);
  writeFileSync(path, content);
  return path;
}

/** A folder of environment files of its own; development's has this content. */
function environments(development: string): string {
  files += 1;
  const path = join(folder, `environments-${files}`);
  mkdirSync(path);
  writeFileSync(join(path, 'development.env'), development);
  return path;
}

const BASE: Env = { AUTH_SECRETS: TEST_SECRET, DATA_DIR: join(folder, 'data') };

const load = (env: Env = {}): Config => loadConfig({ ...BASE, ...env });

describe('secrets in files', () => {
  it('are read for each secret setting, with one secret a line for AUTH_SECRETS', () => {
    const config = loadConfig({
      DATA_DIR: folder,
      AUTH_SECRETS_FILE: fileWith(`${OTHER_SECRET}\r\n${TEST_SECRET}\n`),
      DATABASE_URL_FILE: fileWith('postgres://u:p@db/traffy\n'),
      REDIS_URL_FILE: fileWith('redis://cache:6379\n'),
    });
    expect(config.auth.AUTH_SECRETS).toEqual([OTHER_SECRET, TEST_SECRET]);
    expect(config.database.DATABASE_URL).toBe('postgres://u:p@db/traffy');
    expect(config.throttle.REDIS_URL).toBe('redis://cache:6379');
    expect(Object.keys(ALL).filter((name) => ALL[name]?.secret)).toEqual([
      'DATABASE_URL',
      'DATABASE_DIRECT_URL',
      'AUTH_SECRETS',
      'REDIS_URL',
      'SMTP_URL',
    ]);
  });

  it('are refused together with the variable', () => {
    expect(refusals({ ...BASE, AUTH_SECRETS_FILE: fileWith(OTHER_SECRET) })).toEqual([
      'AUTH_SECRETS: given both as AUTH_SECRETS and as AUTH_SECRETS_FILE; set one of them',
    ]);
  });

  it.each([
    ['/no/such/file', 'ENOENT'],
    [folder, 'EISDIR'],
  ])('are refused if %s cannot be read', (path, code) => {
    const { AUTH_SECRETS: _, ...rest } = PRODUCTION;
    expect(refusals({ ...rest, AUTH_SECRETS_FILE: path })).toEqual([
      `AUTH_SECRETS_FILE: cannot read ${path} (${code})`,
    ]);
  });

  it('are refused if empty', () => {
    expect(refusals({ AUTH_SECRETS_FILE: fileWith('\n') })).toEqual([
      expect.stringContaining('AUTH_SECRETS: given (a secret of 0 bytes); allowed is at least one secret'),
    ]);
  });
});

describe('unknown names', () => {
  it.each([
    ['AUTH_STRATEGI', 'AUTH_STRATEGY'],
    ['AUTH_SECRET', 'AUTH_SECRETS'],
    ['DATABASE_URI', 'DATABASE_URL'],
    ['DATABASE_URL_FIL', 'DATABASE_URL_FILE'],
    ['PROT', 'PORT'],
    ['PORTS', 'PORT'],
    ['TRUSTPROXY', 'TRUST_PROXY'],
    ['SESSION_IDL_TL', 'SESSION_IDLE_TTL'],
    ['SMTP_URI', 'SMTP_URL'],
  ])('%s is refused with the nearest known name', (name, nearest) => {
    expect(refusals({ ...BASE, [name]: 'x' })).toEqual([
      `${name}: unknown setting; the nearest known name is ${nearest}`,
    ]);
  });

  it('of other programs are ignored: desktops, shells, npm, Kubernetes', () => {
    const others = [
      'SESSION_MANAGER HOME OS PATH HOSTNAME PWD OLDPWD SHELL LANG USER TERM Path ComSpec',
      'SystemRoot npm_config_port _ NODE_ENV NODE_OPTIONS DISPLAY TZ AUTH_PORT AUTH_SERVICE_HOST',
      'AUTH_SERVICE_PORT AUTH_PORT_8000_TCP KUBERNETES_PORT TEST_DATABASE_URL TEST_REDIS_URL',
      'XDG_SESSION_ID HOSTTYPE POD_IP CI',
    ].flatMap((line) => line.split(' '));
    expect(refusals({ ...BASE, ...Object.fromEntries(others.map((name) => [name, 'x'])) })).toEqual([]);
  });

  it('are all refused in an environment file', () => {
    const path = environments('LOG_LEVEL=warn\nSOMETHING_ELSE=1\nlog_level=x\n');
    expect(refusals(BASE, path)).toEqual([
      expect.stringMatching(
        /^SOMETHING_ELSE: unknown setting in .*development\.env; the nearest known name is /,
      ),
      expect.stringMatching(/^log_level: unknown setting in .*; the nearest known name is /),
    ]);
  });
});

describe('environment files', () => {
  it('rank between environment variables and defaults', () => {
    const path = environments('PORT=8100\nLOG_LEVEL=warn\nDOCS=off\n');
    const { app } = loadConfig({ ...BASE, PORT: '8200', DOCS: '' }, path);
    expect(app).toMatchObject({ PORT: 8200, LOG_LEVEL: 'warn', DOCS: false, HOST: '127.0.0.1' });
  });

  it('can name a secret file, which a variable of either spelling overrides', () => {
    const path = environments(`REDIS_URL_FILE=${fileWith('redis://from-file:6379')}\n`);
    expect(loadConfig(BASE, path).throttle.REDIS_URL).toBe('redis://from-file:6379');
    const env = { ...BASE, REDIS_URL: 'redis://from-variable:6379' };
    expect(loadConfig(env, path).throttle.REDIS_URL).toBe('redis://from-variable:6379');
  });

  it('are validated like variables', () => {
    expect(refusals(BASE, environments('PORT=eighty\n'))).toEqual([
      expect.stringContaining('PORT: given "eighty"'),
    ]);
  });

  it('cannot select the environment and are required', () => {
    expect(refusals(BASE, environments('APP_ENV=production\n'))[0]).toMatch(
      /^APP_ENV: set in .*, which it chooses/,
    );
    expect(refusals(PRODUCTION, environments(''))).toEqual([
      expect.stringMatching(/^APP_ENV: the file of this environment is missing: .*production\.env$/),
    ]);
  });

  it.each(['development', 'test', 'production'])('%s is valid as shipped', (environment) => {
    const given = environment === 'production' ? PRODUCTION : { ...BASE, APP_ENV: environment };
    expect(loadConfig(given).app.APP_ENV).toBe(environment);
  });
});

describe('production', () => {
  const without = (name: string): Env => {
    const { [name]: _, ...rest } = PRODUCTION;
    return rest;
  };

  it.each(['DATABASE_URL', 'AUTH_SECRETS', 'PUBLIC_URL', 'TRUST_PROXY'])(
    'does not start without %s [G1, L7]',
    (name) => {
      expect(refusals(without(name))).toEqual([
        expect.stringContaining(`${name}: missing; production needs `),
      ]);
    },
  );

  it.each([
    ['PUBLIC_URL', 'http://auth.example.com'],
    ['TRUST_PROXY', 'true'],
    ['TRUST_PROXY', '0.0.0.0/0'],
    ['AUTH_SECRETS', 'short'],
    ['AUTH_SECRETS', 'x'.repeat(32)],
    ['AUTH_SECRETS', 'changeme-changeme-changeme-0123456789'],
    ['RATE_LIMIT_LOGIN', 'off'],
    ['RATE_LIMIT_SIGNUP', 'off'],
    ['RATE_LIMIT_DEFAULT', 'off'],
    ['TRUSTED_ORIGINS', 'https://auth.example.com,http://app.example.com'],
  ])('does not start with %s=%s [G1, L7]', (name, value) => {
    expect(refusals({ ...PRODUCTION, [name]: value })).toEqual([
      expect.stringMatching(new RegExp(`^${name}: `)),
    ]);
  });

  it('names everything that is missing', () => {
    expect(refusals({ APP_ENV: 'production' }).map((line) => line.split(':')[0])).toEqual([
      'DATABASE_URL',
      'AUTH_SECRETS',
      'PUBLIC_URL',
      'TRUST_PROXY',
    ]);
  });
});

describe('generated development secret', () => {
  it('is stable, strong and readable by its owner only', () => {
    const DATA_DIR = join(folder, 'fresh', 'data');
    const [first] = loadConfig({ DATA_DIR }).auth.AUTH_SECRETS;
    expect(loadConfig({ DATA_DIR }).auth.AUTH_SECRETS).toEqual([first]);
    expect(refusals({ DATA_DIR, AUTH_SECRETS: first ?? '' })).toEqual([]);
    const mode = (path: string) => statSync(path).mode & 0o777;
    const isWindows = process.platform === 'win32';
    expect(isWindows ? 0o600 : mode(join(DATA_DIR, 'auth-secret'))).toBe(0o600);
    expect(isWindows ? 0o700 : mode(DATA_DIR)).toBe(0o700);
  });

  it('is shared by concurrent starts', async () => {
    const url = new URL('../../config/development-secret.config.ts', import.meta.url).href;
    const script = `import { developmentSecret } from '${url}'; process.stdout.write(developmentSecret(process.argv[1]));`;
    const DATA_DIR = join(folder, 'parallel');
    const run = () => execute(process.execPath, ['--input-type=module', '-e', script, DATA_DIR]);
    const outputs = await Promise.all([run(), run(), run(), run(), run()]);
    const secrets = outputs.map(({ stdout }) => stdout);
    expect(new Set([...secrets, developmentSecret(DATA_DIR)]).size).toBe(1);
  });

  it('is refused if damaged, and not created with a wrong configuration', () => {
    const DATA_DIR = join(folder, 'damaged');
    mkdirSync(DATA_DIR);
    writeFileSync(join(DATA_DIR, 'auth-secret'), '');
    expect(refusals({ DATA_DIR })).toEqual([
      expect.stringMatching(/^AUTH_SECRETS: the generated secret in .* is damaged/),
    ]);
    expect(refusals({ DATA_DIR: join(folder, 'never'), PORT: 'x' })).toHaveLength(1);
    expect(existsSync(join(folder, 'never'))).toBe(false);
  });

  it('is refused if the data folder cannot be created', () => {
    const DATA_DIR = join(fileWith(''), 'data');
    expect(refusals({ DATA_DIR })).toEqual([
      expect.stringMatching(/^DATA_DIR: given ".*"; allowed is a writable folder \(E\w+\)$/),
    ]);
  });
});

describe('mail and verification', () => {
  it('accept a mail server, a sender and true or false, and report errors by name [G1]', () => {
    const { mail, auth } = load({
      SMTP_URL: 'smtp://user:p%40ss@mail.example.com:587',
      MAIL_FROM: 'Example <auth@example.com>',
      AUTH_REQUIRE_VERIFIED_EMAIL: 'true',
    });
    expect(mail.MAIL_FROM).toBe('Example <auth@example.com>');
    expect(auth.AUTH_REQUIRE_VERIFIED_EMAIL).toBe(true);
    expect(load().mail).toEqual({ SMTP_URL: undefined, MAIL_FROM: 'traffy@localhost' });
    for (const [name, value] of [
      ['SMTP_URL', 'http://mail.example.com'],
      ['SMTP_URL', 'smtp://mail.example.com/?pool=1'],
      ['MAIL_FROM', 'a@example.com, b@example.com'],
      ['MAIL_FROM', 'a@example.com\r\nBcc: b@example.com'],
      ['MAIL_FROM', '"a@example.com" <b@example.com>'],
      ['AUTH_REQUIRE_VERIFIED_EMAIL', 'yes'],
      ['STEP_UP_TTL', '2d'],
    ] as const) {
      expect(refusals({ ...BASE, [name]: value })).toEqual([expect.stringContaining(`${name}: given`)]);
    }
  });

  it('never show the password of SMTP_URL [G1]', () => {
    const [refusal] = refusals({ ...BASE, SMTP_URL: 'smtp://user:hunter2hunter2@mail.example.com/path' });
    expect(refusal).not.toContain('hunter2');
  });

  it('verification in production requires a mail server', () => {
    const required = { ...PRODUCTION, AUTH_REQUIRE_VERIFIED_EMAIL: 'true' };
    expect(refusals(required)).toEqual([
      expect.stringContaining('AUTH_REQUIRE_VERIFIED_EMAIL: given "true" without SMTP_URL'),
    ]);
    expect(refusals({ ...required, SMTP_URL: 'smtps://mail.example.com' })).toEqual([]);
  });
});

describe('combinations of settings [incident 27]', () => {
  // Bad values of these say something about other settings too.
  const names = [...REFUSED.keys()].filter((name) => name !== 'APP_ENV' && !name.startsWith('ARGON2_'));
  const choice = (name: string) =>
    fc.constantFrom<{ text: string; isBad: boolean } | null>(
      null,
      ...READ.filter(([other]) => other === name).map(([, text]) => ({ text, isBad: false })),
      ...(REFUSED.get(name) ?? []).map((text) => ({ text, isBad: true })),
    );
  const choices = fc.record(Object.fromEntries(names.map((name) => [name, choice(name)])));

  it('name each bad value and nothing else, whatever else is set', () => {
    fc.assert(
      fc.property(choices, (chosen) => {
        const given = Object.entries(chosen).flatMap(([name, one]) => (one ? [{ name, ...one }] : []));
        const env = Object.fromEntries(given.map(({ name, text }) => [name, text]));
        const bad = given.filter(({ isBad }) => isBad).map(({ name }) => name);
        const named = refusals({ ...BASE, ...env }).map((line) => line.split(':')[0]);
        expect(named.toSorted()).toEqual(bad.toSorted());
      }),
      { numRuns: 300 },
    );
  });

  it('refuse unsafe values in production, whatever else is set', () => {
    const unsafe = fc.constantFrom(
      { PUBLIC_URL: 'http://auth.example.com' },
      { TRUST_PROXY: 'true' },
      { AUTH_SECRETS: 'x'.repeat(40) },
      { RATE_LIMIT_LOGIN: 'off' },
      { DATABASE_URL: '' },
    );
    fc.assert(
      fc.property(choices, unsafe, (chosen, one) => {
        const good = Object.entries(chosen).flatMap(([name, value]) =>
          value && !value.isBad ? [[name, value.text]] : [],
        );
        const lines = refusals({ ...PRODUCTION, ...Object.fromEntries(good), ...one });
        expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^${Object.keys(one)[0]}: `)));
      }),
      { numRuns: 300 },
    );
  });
});
