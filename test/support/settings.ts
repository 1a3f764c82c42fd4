import { expect } from '@jest/globals';
import { ConfigError, loadConfig, SETTINGS } from '../../config/load.config.js';
import { TEST_SECRET } from './app.js';

export const OTHER_SECRET = 'q8Zt5LwXn2RvKb7JpYd0HcGf4MsAe9UiOo1TxVzQy3E';

export const ALL = Object.assign({}, ...Object.values(SETTINGS)) as (typeof SETTINGS)[string];

export type Env = Readonly<Record<string, string>>;

export const PRODUCTION: Env = {
  APP_ENV: 'production',
  DATABASE_URL: 'postgres://traffy:hunter2@db:5432/traffy',
  AUTH_SECRETS: TEST_SECRET,
  PUBLIC_URL: 'https://auth.example.com',
  TRUST_PROXY: '1',
};

/** What a configuration is refused for: the lines of the message without its heading. */
export function refusals(env: Env, environmentsFolder?: string): string[] {
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
export function refusal(name: string, text: string): unknown {
  const given = ALL[name]?.secret ? `(a secret of ${Buffer.byteLength(text)} bytes)` : JSON.stringify(text);
  return expect.stringContaining(`${name}: given ${given}; allowed is `);
}

/** Values that are read, and as what. */
export const READ: readonly (readonly [name: string, text: string, value: unknown])[] = [
  ['PORT', '0', 0],
  ['PORT', '65535', 65_535],
  ['HOST', '::1', '::1'],
  ['PUBLIC_URL', 'https://auth.example.com:8443', 'https://auth.example.com:8443'],
  ['TRUST_PROXY', '2', 2],
  ['TRUST_PROXY', '10', 10],
  ['TRUST_PROXY', '10.0.0.0/8,::1,fd00::/16', ['10.0.0.0/8', '::1', 'fd00::/16']],
  ['TRUST_PROXY', '::ffff:10.0.0.0/104', ['::ffff:10.0.0.0/104']],
  ['TRUSTED_ORIGINS', 'https://a.example,http://b.example:81', ['https://a.example', 'http://b.example:81']],
  [
    'TRUSTED_ORIGINS',
    'capacitor://localhost,tauri://localhost,chrome-extension://abcdefghijklmnopabcdefghijklmnop',
    ['capacitor://localhost', 'tauri://localhost', 'chrome-extension://abcdefghijklmnopabcdefghijklmnop'],
  ],
  ['CORS_HEADERS', 'Authorization, content-type,X-Client', ['authorization', 'content-type', 'x-client']],
  ['COOKIE_PREFIX', 'staging-', 'staging-'],
  ['DOCS', 'off', false],
  ['PAGES', 'off', false],
  ['BRAND_NAME', 'Café & Co', 'Café & Co'],
  ['BRAND_COLOR', '#FF9C24', '#FF9C24'],
  ['BRAND_LOGO_URL', 'https://cdn.example.com/logo.svg', 'https://cdn.example.com/logo.svg'],
  ['SECURITY_CONTACT', 'mailto:security@example.com', 'mailto:security@example.com'],
  ['SHUTDOWN_DELAY', '3s', 3],
  ['KEEP_ALIVE_TIMEOUT', '10m', 600],
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
  ['DATABASE_URL', 'postgres://u:p@a:5432,b:5433/db?sslmode=prefer&schema=x', expect.any(String)],
  ['REDIS_URL', 'rediss://user:password@cache:6380', 'rediss://user:password@cache:6380'],
];

/** Values that are refused, for every setting that can be wrong. */
export const REFUSED = new Map<string, readonly string[]>([
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
  [
    'TRUSTED_ORIGINS',
    [
      '*',
      'https://a.example,',
      'https://a.example, https://b.example',
      'null',
      'file://x',
      'data://x',
      'javascript://x',
      'null://x',
      'capacitor://',
      'capacitor://localhost/',
      'app://*',
      'ws://a.example',
    ],
  ],
  ['CORS_HEADERS', ['*', 'authorization,', 'two words', 'ä']],
  ['COOKIE_PREFIX', ['__Host-', '__secure-x', 'a b', 'a=', 'a;', 'x'.repeat(33)]],
  ['DOCS', ['true', 'yes', 'ON']],
  ['PAGES', ['true', 'no', 'OFF']],
  ['BRAND_NAME', ['<b>', ' Traffy', 'a"b', 'x'.repeat(41), 'a\nb']],
  ['BRAND_COLOR', ['red', '#fff', '3451b2', '#3451b2;', '#3451b2ff']],
  [
    'BRAND_LOGO_URL',
    ['http://a.example/l.png', 'logo.png', "https://a.example/'", 'data:image/png;base64,x'],
  ],
  ['SECURITY_CONTACT', ['security@example.com', 'mailto:', 'http://a.example', 'mailto:a b@c']],
  ['SHUTDOWN_DELAY', ['301s', '3', 'off', '-1s']],
  ['KEEP_ALIVE_TIMEOUT', ['0s', '2h', '72']],
  ['LOG_LEVEL', ['verbose', 'INFO']],
  ['DATABASE_DIRECT_URL', ['mysql://a/b', 'db']],
  [
    'DATABASE_URL',
    [
      'mysql://a/b',
      'postgres://h/db?scheme=x',
      'postgres://h/db?target_session_attrs=standby',
      'postgres://',
      'postgres://host:5432',
      'postgres://u:%zz@host/db',
      'db',
    ],
  ],
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
  ['ANSWER_FLOOR_MAX', ['0s', '31s', '2']],
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
