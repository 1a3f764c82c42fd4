import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { developmentSecret } from '../config/development-secret.config.js';
import { ConfigError, loadConfig, SETTINGS, type Config } from '../config/load.config.js';
import { TEST_SECRET } from './support/app.js';
import { generatedDocument } from './support/documents.js';

const OTHER_SECRET = 'q8Zt5LwXn2RvKb7JpYd0HcGf4MsAe9UiOo1TxVzQy3E';
const ALL = Object.assign({}, ...Object.values(SETTINGS)) as (typeof SETTINGS)[string];

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

type Env = Readonly<Record<string, string>>;

const BASE: Env = { AUTH_SECRETS: TEST_SECRET, DATA_DIR: join(folder, 'data') };
const PRODUCTION: Env = {
  APP_ENV: 'production',
  DATABASE_URL: 'postgres://traffy:hunter2@db:5432/traffy',
  AUTH_SECRETS: TEST_SECRET,
  PUBLIC_URL: 'https://auth.example.com',
  TRUST_PROXY: '1',
};

const load = (env: Env = {}): Config => loadConfig({ ...BASE, ...env });

/** What a configuration is refused for: the lines of the message without its heading. */
function refusals(env: Env, environmentsFolder?: string): string[] {
  try {
    loadConfig(env, environmentsFolder);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

/** How a value of a setting is refused. */
function refusal(name: string, text: string): unknown {
  const given = ALL[name]?.secret ? `(a secret of ${Buffer.byteLength(text)} bytes)` : JSON.stringify(text);
  return expect.stringContaining(`${name}: given ${given}; allowed is `);
}

/** Every setting of every namespace by its name. */
function values(config: Config): Record<string, unknown> {
  const { notes: _, ...namespaces } = config;
  return Object.assign({}, ...Object.values(namespaces)) as Record<string, unknown>;
}

describe('defaults', () => {
  it('are those of the contract in development', () => {
    expect(values(load())).toEqual({
      APP_ENV: 'development',
      HOST: '127.0.0.1',
      PORT: 8000,
      PUBLIC_URL: 'http://localhost:8000',
      TRUST_PROXY: 0,
      TRUSTED_ORIGINS: ['http://localhost:8000'],
      DOCS: true,
      LOG_LEVEL: 'info',
      DATABASE_URL: undefined,
      DATABASE_POOL_SIZE: 10,
      DATA_DIR: BASE['DATA_DIR'],
      AUTH_STRATEGY: ['session'],
      AUTH_SECRETS: [TEST_SECRET],
      AUTH_AUDIENCE: 'http://localhost:8000',
      JWT_ALGORITHM: 'ES256',
      ACCESS_TOKEN_TTL: 600,
      REFRESH_REUSE_GRACE: 15,
      JWKS_MAX_AGE: 600,
      KEY_ROTATION_INTERVAL: 30 * 86_400,
      SESSION_IDLE_TTL: 14 * 86_400,
      SESSION_ABSOLUTE_TTL: 30 * 86_400,
      SESSION_RETENTION: 7 * 86_400,
      SESSIONS_PER_USER: 20,
      PASSWORD_MIN_LENGTH: 15,
      ARGON2_MEMORY_KIB: 19_456,
      ARGON2_PASSES: 2,
      ARGON2_PARALLELISM: 1,
      AUDIT_RETENTION: 400 * 86_400,
      AUTH_REQUIRE_VERIFIED_EMAIL: false,
      BREACHED_PASSWORDS_UNAVAILABLE: 'accept',
      BREACHED_PASSWORDS_URL: undefined,
      MAIL_FROM: 'traffy@localhost',
      SMTP_URL: undefined,
      STEP_UP_TTL: 600,
      ARGON2_CONCURRENCY: expect.any(Number),
      REDIS_URL: undefined,
      RATE_LIMIT_LOGIN: { count: 10, windowSeconds: 60 },
      RATE_LIMIT_SIGNUP: { count: 20, windowSeconds: 3600 },
      RATE_LIMIT_DEFAULT: { count: 600, windowSeconds: 60 },
    });
    expect(ALL['DATA_DIR']?.default).toBe('./data');
  });

  it('G2: are closed in production: no documentation, reachable, the issuer as configured', () => {
    expect(loadConfig(PRODUCTION).app).toEqual({
      APP_ENV: 'production',
      HOST: '0.0.0.0',
      PORT: 8000,
      PUBLIC_URL: 'https://auth.example.com',
      TRUST_PROXY: 1,
      TRUSTED_ORIGINS: ['https://auth.example.com'],
      DOCS: false,
      LOG_LEVEL: 'info',
    });
  });

  it('derive the public origin from PORT, as a browser sends it', () => {
    expect(load({ PORT: '8001' }).app.PUBLIC_URL).toBe('http://localhost:8001');
    expect(load({ PORT: '80' }).app.PUBLIC_URL).toBe('http://localhost');
  });

  it('hold where a variable is empty', () => {
    expect(values(load({ AUTH_STRATEGY: '', PORT: '', DATABASE_URL: '', DATABASE_URL_FILE: '' }))).toEqual(
      values(load()),
    );
  });
});

/** Values that are read, and as what. */
const READ: readonly (readonly [name: string, text: string, value: unknown])[] = [
  ['PORT', '0', 0],
  ['PORT', '65535', 65_535],
  ['HOST', '::1', '::1'],
  ['PUBLIC_URL', 'https://auth.example.com:8443', 'https://auth.example.com:8443'],
  ['TRUST_PROXY', '2', 2],
  ['TRUST_PROXY', '10', 10],
  ['TRUST_PROXY', '10.0.0.0/8,::1,fd00::/16', ['10.0.0.0/8', '::1', 'fd00::/16']],
  ['TRUST_PROXY', '::ffff:10.0.0.0/104', ['::ffff:10.0.0.0/104']],
  ['TRUSTED_ORIGINS', 'https://a.example,http://b.example:81', ['https://a.example', 'http://b.example:81']],
  ['DOCS', 'off', false],
  ['AUTH_STRATEGY', 'session', ['session']],
  ['AUTH_STRATEGY', 'session,jwt', ['session', 'jwt']],
  ['AUTH_STRATEGY', 'jwt,session', ['jwt', 'session']],
  ['AUTH_STRATEGY', 'jwt', ['jwt']],
  ['AUTH_SECRETS', `${OTHER_SECRET}, ${TEST_SECRET}`, [OTHER_SECRET, TEST_SECRET]],
  ['ACCESS_TOKEN_TTL', '90s', 90],
  ['ACCESS_TOKEN_TTL', '24h', 86_400],
  ['REFRESH_REUSE_GRACE', '0s', 0],
  ['SESSION_IDLE_TTL', '1s', 1],
  ['SESSION_ABSOLUTE_TTL', '400d', 400 * 86_400],
  ['SESSION_RETENTION', '36h', 36 * 3_600],
  ['RATE_LIMIT_LOGIN', '5/30s', { count: 5, windowSeconds: 30 }],
  ['RATE_LIMIT_DEFAULT', '1/7d', { count: 1, windowSeconds: 604_800 }],
  ['RATE_LIMIT_SIGNUP', 'off', null],
  ['DATABASE_URL', 'postgresql://u:p%40ss@[::1]:5432/db?sslmode=verify-full', expect.any(String)],
  ['REDIS_URL', 'rediss://user:password@cache:6380', 'rediss://user:password@cache:6380'],
];

/** Values that are refused, for every setting that can be wrong. */
const REFUSED = new Map<string, readonly string[]>([
  ['APP_ENV', ['staging', 'Production', ' development']],
  ['HOST', ['a b', 'http://0.0.0.0', 'x/y']],
  ['PORT', ['65536', '-1', '80.5', '0x50', ' 8000', '99999999999', 'http']],
  [
    'PUBLIC_URL',
    [
      'https://a.example/',
      'https://a.example/auth',
      'https://a.example?x',
      'a.example',
      'ftp://a.example',
      'https://A.example',
      'https://a.example:443',
      'https://*.example',
    ],
  ],
  [
    'TRUST_PROXY',
    [
      'true',
      'false',
      '-1',
      '11',
      '99',
      '0.0.0.0/0',
      '::/0',
      '0.0.0.0/1',
      '10.0.0.0/7',
      '2000::/3',
      'fd00::/15',
      // Networks of IPv6 that hold every IPv4 address, or too many.
      '::/16',
      '::1/64',
      '::ffff:0:0/96',
      '::ffff:10.0.0.0/8',
      '::ffff:10.0.0.0/103',
      '::ffff:a00:0/103',
      '10.0.0.0/33',
      '10/8',
      '10.0.0.0/8, ::1',
      '1/0',
      'loopback',
    ],
  ],
  ['TRUSTED_ORIGINS', ['*', 'https://a.example,', 'https://a.example, https://b.example', 'null']],
  ['DOCS', ['true', 'yes', 'ON']],
  ['LOG_LEVEL', ['verbose', 'INFO']],
  ['DATABASE_DIRECT_URL', ['mysql://a/b', 'db']],
  ['DATABASE_URL', ['mysql://a/b', 'postgres://', 'postgres://host:5432', 'postgres://u:%zz@host/db', 'db']],
  ['DATABASE_POOL_SIZE', ['1', '501']],
  ['AUTH_STRATEGY', ['cookie', 'jwt,jwt', 'session,', ',jwt', 'session;jwt', 'JWT', ',']],
  ['AUTH_AUDIENCE', ['two words', 'ä']],
  ['JWT_ALGORITHM', ['HS256', 'none', 'EdDSA', 'es256']],
  ['ACCESS_TOKEN_TTL', ['0s', '25h', '600', '10 m', '1.5h', '-1m', '10M', '1w']],
  ['REFRESH_REUSE_GRACE', ['301s', '6m']],
  ['JWKS_MAX_AGE', ['0s', '2d']],
  ['KEY_ROTATION_INTERVAL', ['1s', '401d', 'off']],
  ['SESSION_IDLE_TTL', ['0s', '401d']],
  ['SESSION_ABSOLUTE_TTL', ['0s', '401d']],
  ['SESSION_RETENTION', ['0s', '401d', 'off']],
  ['SESSIONS_PER_USER', ['0', '1001']],
  ['PASSWORD_MIN_LENGTH', ['7', '65']],
  ['ARGON2_MEMORY_KIB', ['12287', '4194305']],
  ['ARGON2_PASSES', ['0', '101']],
  ['ARGON2_PARALLELISM', ['0', '17']],
  ['ARGON2_CONCURRENCY', ['0', '65']],
  ['REDIS_URL', ['http://cache', 'redis://', 'cache:6379']],
  ['RATE_LIMIT_LOGIN', ['0/1m', '10', '10/m', '10/0m', '10/8d', 'OFF', '10/1m ', '-1/1m']],
  ['RATE_LIMIT_SIGNUP', ['20/25d']],
  ['RATE_LIMIT_DEFAULT', ['1000000000/1m']],
  ['STEP_UP_TTL', ['0s', '2d']],
  ['AUTH_REQUIRE_VERIFIED_EMAIL', ['yes', 'on', 'TRUE']],
  ['BREACHED_PASSWORDS_URL', ['http://example.com/range/', 'range', 'ftp://example.com/']],
  ['BREACHED_PASSWORDS_UNAVAILABLE', ['open', 'true']],
  ['SMTP_URL', ['http://mail.example.com', 'mail.example.com', 'smtp://mail.example.com/?pool=1']],
  ['MAIL_FROM', ['nobody', 'a@example.com, b@example.com', '"a@example.com" <b@example.com>']],
  ['AUDIT_RETENTION', ['0s', '3661d', 'off']],
]);

describe('values', () => {
  it.each(READ)('%s=%s is read', (name, text, value) => {
    expect(values(load({ [name]: text }))[name]).toEqual(value);
  });

  it.each([...REFUSED])('%s is refused with what was given and what is allowed', (name, texts) => {
    for (const text of texts) expect(refusals({ ...BASE, [name]: text })).toEqual([refusal(name, text)]);
  });

  it('are refused in a test, each', () => {
    // Any text is a folder's name, and what makes a secret has tests of its own.
    expect(Object.keys(ALL).filter((name) => !REFUSED.has(name))).toEqual(['DATA_DIR', 'AUTH_SECRETS']);
  });

  it('P11: refuse argon2 parameters that OWASP calls too weak together', () => {
    const weak = (memory: string, passes: string) =>
      refusals({ ...BASE, ARGON2_MEMORY_KIB: memory, ARGON2_PASSES: passes });
    expect(weak('47104', '1')).toEqual([]);
    expect(weak('47103', '1')).toEqual([expect.stringContaining('ARGON2_MEMORY_KIB: given 47103 with')]);
    expect(weak('19455', '2')).toEqual([expect.stringContaining('ARGON2_MEMORY_KIB: given 19455 with')]);
    expect(weak('12288', '3')).toEqual([]);
  });

  it('J16: refuse to rotate keys quicker than they can be published before they sign', () => {
    const refused = (interval: string, maxAge: string) =>
      refusals({ ...BASE, KEY_ROTATION_INTERVAL: interval, JWKS_MAX_AGE: maxAge });
    expect(refused('2s', '1s')).toEqual([]);
    expect(refused('605s', '10m')).toEqual([]);
    expect(refused('604s', '10m')).toEqual([
      'KEY_ROTATION_INTERVAL: given 604s with JWKS_MAX_AGE 600s; allowed is at least 605s: a key is published for so long before it signs',
    ]);
    expect(refused('3s', '2s')).toEqual([expect.stringContaining('allowed is at least 4s')]);
  });

  it('are reported all at once, by name', () => {
    const lines = refusals({ PORT: 'x', HOST: '/', DOCS: '?', AUTH_STRATEGY: 'none', AUTH_SECRETS: 'short' });
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      'HOST',
      'PORT',
      'DOCS',
      'AUTH_STRATEGY',
      'AUTH_SECRETS',
    ]);
  });

  it('O2: never show a secret, nor the password inside another value', () => {
    const secrets = {
      AUTH_SECRETS: 'hunter2hunter2hunter2hunter2hunter2',
      DATABASE_URL: 'mysql://root:hunter2@db/x',
      REDIS_URL: 'http://:hunter2@cache',
      PUBLIC_URL: 'https://admin:hunter2@auth.example.com',
      TRUSTED_ORIGINS: 'https://a.example,https://u:hunter2@b.example',
    };
    const lines = refusals(secrets);
    expect(lines).toHaveLength(5);
    expect(lines.join('\n')).not.toContain('hunter2');
    expect(refusals({ ...PRODUCTION, PUBLIC_URL: 'http://u:hunter2@a' }).join('\n')).not.toContain('hunter2');
  });
});

describe('AUTH_SECRETS', () => {
  const judge = (secret: string) => refusals({ ...BASE, AUTH_SECRETS: secret });

  it.each([
    ['short', TEST_SECRET.slice(0, 31), 'has 31'],
    ['all one letter', 'a'.repeat(64), 'too little entropy'],
    ['a short text repeated', 'k3V9xQ2m'.repeat(5), 'too little entropy'],
    ['a long text repeated', TEST_SECRET.slice(0, 25).repeat(2), 'too little entropy'],
    ['counted up', 'aAbBcCdDeEfFgGhHiIjJkKlLmMnNoOpPqQrR', 'too little entropy'],
    ['digits of one kind', '1212121212343434343456565656567878787878', 'too little entropy'],
    ['a placeholder', 'please-change-me-please-I-beg-you-4711', 'placeholder'],
    ['a keyboard', 'qwertyuiopasdfghjklzxcvbnm0987654321', 'placeholder'],
    ['the documentation', 'your-secret-goes-here-0123-4567-89xy', 'placeholder'],
  ])('G1: refuses what is %s', (_what, secret, reason) => {
    expect(judge(secret)).toEqual([expect.stringContaining(reason)]);
  });

  it('names each weak one by its place', () => {
    expect(judge(`${TEST_SECRET},short,${'a'.repeat(40)}`)).toEqual([
      expect.stringMatching(/; number 2 has 5, number 3 repeats itself: too little entropy$/),
    ]);
  });

  it('refuses a list that is empty, or holds one twice', () => {
    expect(judge(',')).toEqual([expect.stringContaining('at least one secret')]);
    expect(judge(`${TEST_SECRET},${TEST_SECRET}`)).toEqual([expect.stringContaining('each secret once')]);
  });

  it('takes what openssl and Node.js make', () => {
    for (const encoding of ['base64', 'base64url', 'hex'] as const) {
      const secrets = Array.from({ length: 100 }, () => randomBytes(48).toString(encoding));
      expect(judge(secrets.join(','))).toEqual([]);
    }
  });
});

describe('the way past a pooler', () => {
  it('is no way to the database by itself', () => {
    const direct = { DATABASE_DIRECT_URL: 'postgres://u:p@db/traffy' };
    expect(refusals({ ...BASE, ...direct })).toEqual([
      expect.stringMatching(/^DATABASE_DIRECT_URL: given without/),
    ]);
    expect(refusals({ ...BASE, ...direct, DATABASE_URL: 'postgres://u:p@pooler/traffy' })).toEqual([]);
  });
});

describe('secrets in files', () => {
  it('are read for each secret setting, with one a line for AUTH_SECRETS', () => {
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

  it('and as a variable at once are refused', () => {
    expect(refusals({ ...BASE, AUTH_SECRETS_FILE: fileWith(OTHER_SECRET) })).toEqual([
      'AUTH_SECRETS: given both as AUTH_SECRETS and as AUTH_SECRETS_FILE; set one of them',
    ]);
  });

  it.each([
    ['/no/such/file', 'ENOENT'],
    [folder, 'EISDIR'],
  ])('are refused where %s cannot be read', (path, code) => {
    const { AUTH_SECRETS: _, ...rest } = PRODUCTION;
    expect(refusals({ ...rest, AUTH_SECRETS_FILE: path })).toEqual([
      `AUTH_SECRETS_FILE: cannot read ${path} (${code})`,
    ]);
  });

  it('are refused where they are empty', () => {
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

  it('of others are ignored: desktops, shells, npm, Kubernetes', () => {
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
  it('stand between the environment variables and the defaults', () => {
    const path = environments('PORT=8100\nLOG_LEVEL=warn\nDOCS=off\n');
    const { app } = loadConfig({ ...BASE, PORT: '8200', DOCS: '' }, path);
    expect(app).toMatchObject({ PORT: 8200, LOG_LEVEL: 'warn', DOCS: false, HOST: '127.0.0.1' });
  });

  it('may point to a secret, which a variable of either spelling replaces', () => {
    const path = environments(`REDIS_URL_FILE=${fileWith('redis://from-file:6379')}\n`);
    expect(loadConfig(BASE, path).throttle.REDIS_URL).toBe('redis://from-file:6379');
    const env = { ...BASE, REDIS_URL: 'redis://from-variable:6379' };
    expect(loadConfig(env, path).throttle.REDIS_URL).toBe('redis://from-variable:6379');
  });

  it('are checked like variables', () => {
    expect(refusals(BASE, environments('PORT=eighty\n'))).toEqual([
      expect.stringContaining('PORT: given "eighty"'),
    ]);
  });

  it('cannot choose the environment, and must be there: the defaults are those of development', () => {
    expect(refusals(BASE, environments('APP_ENV=production\n'))[0]).toMatch(
      /^APP_ENV: set in .*, which it chooses/,
    );
    expect(refusals(PRODUCTION, environments(''))).toEqual([
      expect.stringMatching(/^APP_ENV: the file of this environment is missing: .*production\.env$/),
    ]);
  });

  it.each(['development', 'test', 'production'])('%s is valid as it is shipped', (environment) => {
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
    'G1, L7: refuses to start without %s',
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
  ])('G1, L7: refuses %s=%s', (name, value) => {
    expect(refusals({ ...PRODUCTION, [name]: value })).toEqual([
      expect.stringMatching(new RegExp(`^${name}: `)),
    ]);
  });

  it('names everything that is missing at once', () => {
    expect(refusals({ APP_ENV: 'production' }).map((line) => line.split(':')[0])).toEqual([
      'DATABASE_URL',
      'AUTH_SECRETS',
      'PUBLIC_URL',
      'TRUST_PROXY',
    ]);
  });
});

describe('the generated secret of development', () => {
  it('is stable, strong, and readable by its owner only', () => {
    const DATA_DIR = join(folder, 'fresh', 'data');
    const [first] = loadConfig({ DATA_DIR }).auth.AUTH_SECRETS;
    expect(loadConfig({ DATA_DIR }).auth.AUTH_SECRETS).toEqual([first]);
    expect(refusals({ DATA_DIR, AUTH_SECRETS: first ?? '' })).toEqual([]);
    const mode = (path: string) => statSync(path).mode & 0o777;
    const isWindows = process.platform === 'win32';
    expect(isWindows ? 0o600 : mode(join(DATA_DIR, 'auth-secret'))).toBe(0o600);
    expect(isWindows ? 0o700 : mode(DATA_DIR)).toBe(0o700);
  });

  it('is the same for processes that start at once', async () => {
    const url = new URL('../config/development-secret.config.ts', import.meta.url).href;
    const script = `import { developmentSecret } from '${url}'; process.stdout.write(developmentSecret(process.argv[1]));`;
    const DATA_DIR = join(folder, 'parallel');
    const run = () => execute(process.execPath, ['--input-type=module', '-e', script, DATA_DIR]);
    const outputs = await Promise.all([run(), run(), run(), run(), run()]);
    const secrets = outputs.map(({ stdout }) => stdout);
    expect(new Set([...secrets, developmentSecret(DATA_DIR)]).size).toBe(1);
  });

  it('is refused where it was damaged, and not made where configuration is wrong', () => {
    const DATA_DIR = join(folder, 'damaged');
    mkdirSync(DATA_DIR);
    writeFileSync(join(DATA_DIR, 'auth-secret'), '');
    expect(refusals({ DATA_DIR })).toEqual([
      expect.stringMatching(/^AUTH_SECRETS: the generated secret in .* is damaged/),
    ]);
    expect(refusals({ DATA_DIR: join(folder, 'never'), PORT: 'x' })).toHaveLength(1);
    expect(existsSync(join(folder, 'never'))).toBe(false);
  });

  it('is refused where the data folder cannot be made', () => {
    const DATA_DIR = join(fileWith(''), 'data');
    expect(refusals({ DATA_DIR })).toEqual([
      expect.stringMatching(/^DATA_DIR: given ".*"; allowed is a folder we may write to \(E\w+\)$/),
    ]);
  });
});

describe('mail and verification', () => {
  it('G1: take a mail server, a sender and true or false, and name what is wrong with others', () => {
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

  it('G1: a password of SMTP_URL stands in no message', () => {
    const [refusal] = refusals({ ...BASE, SMTP_URL: 'smtp://user:hunter2hunter2@mail.example.com/path' });
    expect(refusal).not.toContain('hunter2');
  });

  it('verification in production needs a mail server', () => {
    const required = { ...PRODUCTION, AUTH_REQUIRE_VERIFIED_EMAIL: 'true' };
    expect(refusals(required)).toEqual([
      expect.stringContaining('AUTH_REQUIRE_VERIFIED_EMAIL: given "true" without SMTP_URL'),
    ]);
    expect(refusals({ ...required, SMTP_URL: 'smtps://mail.example.com' })).toEqual([]);
  });
});

describe('incident 27: settings do not weaken each other', () => {
  // Bad values of these say something about other settings too.
  const names = [...REFUSED.keys()].filter((name) => name !== 'APP_ENV' && !name.startsWith('ARGON2_'));
  const choice = (name: string) =>
    fc.constantFrom<{ text: string; isBad: boolean } | null>(
      null,
      ...READ.filter(([other]) => other === name).map(([, text]) => ({ text, isBad: false })),
      ...(REFUSED.get(name) ?? []).map((text) => ({ text, isBad: true })),
    );
  const choices = fc.record(Object.fromEntries(names.map((name) => [name, choice(name)])));

  it('whatever else is set, each bad value is named, and nothing else', () => {
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

  it('whatever else is set, production refuses what is unsafe', () => {
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

describe('docs/configuration.md', () => {
  const path = 'docs/configuration.md';
  const START = '<!-- settings: npm test -- test/config.spec.ts with UPDATE_DOCS=1 writes what follows -->\n';
  const END = '<!-- end of settings -->';

  it('says of every setting what the code says', () => {
    const text = readFileSync(join(import.meta.dirname, '..', path), 'utf8');
    const [before, after] = [text.split(START)[0], text.split(END)[1]];
    const expected = `${before}${START}\n${settingsAsMarkdown()}\n${END}${after}`;
    // Out of date? UPDATE_DOCS=1 npm test -- test/config.spec.ts
    expect(generatedDocument(path, expected)).toBe(expected);
  });
});

/** The tables of the documentation, as Prettier lays them out. */
function settingsAsMarkdown(): string {
  const sections = Object.entries(SETTINGS).map(([title, settings]) => {
    const rows = Object.entries(settings).map(([name, setting]) => [
      `\`${name}\`${setting.secret ? ' or `' + name + '_FILE`' : ''}`,
      setting.defaultText ?? `\`${setting.default}\``,
      setting.meaning,
      allowedText(setting),
    ]);
    return `## ${title}\n\n${table([['name', 'default', 'meaning', 'allowed'], ...rows])}\n`;
  });
  return sections.join('\n');
}

/** What a message says is allowed, learned from a value that never is; without what it says of that value. */
function allowedText(setting: (typeof ALL)[string]): string {
  const issues = setting.schema.safeParse('\0').error?.issues ?? [];
  return issues.map((issue) => issue.message.replace(/; number 1 .*/, '')).join('; ');
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  const [head = [], ...body] = rows;
  return [line(head), rule, ...body.map(line)].join('\n');
}
