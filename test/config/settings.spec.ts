import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from '@jest/globals';
import { loadConfig, type Config } from '../../config/load.config.js';
import { TEST_SECRET } from '../support/app.js';
import { ALL, PRODUCTION, READ, REFUSED, refusal, refusals, type Env } from '../support/settings.js';

const folder = mkdtempSync(join(tmpdir(), 'traffy-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const BASE: Env = { AUTH_SECRETS: TEST_SECRET, DATA_DIR: join(folder, 'data') };

const load = (env: Env = {}): Config => loadConfig({ ...BASE, ...env });

/** Every setting of every namespace by its name. */
function values(config: Config): Record<string, unknown> {
  return Object.assign({}, ...Object.values(config)) as Record<string, unknown>;
}

describe('defaults', () => {
  it('are those of the documentation in development', () => {
    expect(values(load())).toEqual({
      APP_ENV: 'development',
      HOST: '127.0.0.1',
      PORT: 8000,
      PUBLIC_URL: 'http://localhost:8000',
      TRUST_PROXY: 0,
      TRUSTED_ORIGINS: ['http://localhost:8000'],
      CORS_HEADERS: [
        'authorization',
        'content-type',
        'traceparent',
        'tracestate',
        'baggage',
        'x-requested-with',
      ],
      DOCS: true,
      LOG_LEVEL: 'info',
      SHUTDOWN_DELAY: 0,
      KEEP_ALIVE_TIMEOUT: 72,
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
      ANSWER_FLOOR_MAX: 2,
      ARGON2_PARALLELISM: 1,
      AUDIT_RETENTION: 400 * 86_400,
      PAGES: true,
      BRAND_NAME: 'Traffy',
      BRAND_COLOR: '#3451b2',
      BRAND_LOGO_URL: undefined,
      SECURITY_CONTACT: undefined,
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

  it('are closed in production: no documentation, all interfaces, the configured issuer [G2]', () => {
    expect(loadConfig(PRODUCTION).app).toEqual({
      APP_ENV: 'production',
      HOST: '0.0.0.0',
      PORT: 8000,
      SHUTDOWN_DELAY: 3,
      KEEP_ALIVE_TIMEOUT: 72,
      PUBLIC_URL: 'https://auth.example.com',
      TRUST_PROXY: 1,
      TRUSTED_ORIGINS: ['https://auth.example.com'],
      CORS_HEADERS: [
        'authorization',
        'content-type',
        'traceparent',
        'tracestate',
        'baggage',
        'x-requested-with',
      ],
      DOCS: false,
      LOG_LEVEL: 'info',
    });
  });

  it('derive the public origin from PORT as browsers send it', () => {
    expect(load({ PORT: '8001' }).app.PUBLIC_URL).toBe('http://localhost:8001');
    expect(load({ PORT: '80' }).app.PUBLIC_URL).toBe('http://localhost');
  });

  it('apply to empty variables', () => {
    expect(values(load({ AUTH_STRATEGY: '', PORT: '', DATABASE_URL: '', DATABASE_URL_FILE: '' }))).toEqual(
      values(load()),
    );
  });
});

describe('setting values', () => {
  it.each(READ)('%s=%s is read', (name, text, value) => {
    expect(values(load({ [name]: text }))[name]).toEqual(value);
  });

  it.each([...REFUSED])('%s is refused with the given and the allowed values', (name, texts) => {
    for (const text of texts) expect(refusals({ ...BASE, [name]: text })).toEqual([refusal(name, text)]);
  });

  it('every setting has a refused value in this spec', () => {
    // Any text is a folder's name, and what makes a secret has tests of its own.
    expect(Object.keys(ALL).filter((name) => !REFUSED.has(name))).toEqual(['DATA_DIR', 'AUTH_SECRETS']);
  });

  it('refuse argon2 parameters below the OWASP minimum [P11]', () => {
    const weak = (memory: string, passes: string) =>
      refusals({ ...BASE, ARGON2_MEMORY_KIB: memory, ARGON2_PASSES: passes });
    expect(weak('47104', '1')).toEqual([]);
    expect(weak('47103', '1')).toEqual([expect.stringContaining('ARGON2_MEMORY_KIB: given 47103 with')]);
    expect(weak('19455', '2')).toEqual([expect.stringContaining('ARGON2_MEMORY_KIB: given 19455 with')]);
    expect(weak('12288', '3')).toEqual([]);
  });

  it('refuse a key rotation faster than keys are published [J16]', () => {
    const refused = (interval: string, maxAge: string) =>
      refusals({ ...BASE, KEY_ROTATION_INTERVAL: interval, JWKS_MAX_AGE: maxAge });
    expect(refused('2s', '1s')).toEqual([]);
    expect(refused('605s', '10m')).toEqual([]);
    expect(refused('604s', '10m')).toEqual([
      'KEY_ROTATION_INTERVAL: given 604s with JWKS_MAX_AGE 600s; allowed is at least 605s: a key is published that long before it signs',
    ]);
    expect(refused('3s', '2s')).toEqual([expect.stringContaining('allowed is at least 4s')]);
  });

  it('report all errors together, by name', () => {
    const lines = refusals({ PORT: 'x', HOST: '/', DOCS: '?', AUTH_STRATEGY: 'none', AUTH_SECRETS: 'short' });
    expect(lines.map((line) => line.split(':')[0])).toEqual([
      'HOST',
      'PORT',
      'DOCS',
      'AUTH_STRATEGY',
      'AUTH_SECRETS',
    ]);
  });

  it('never show a secret, or the password inside a URL [O2]', () => {
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
  ])('refuses %s [G1]', (_what, secret, reason) => {
    expect(judge(secret)).toEqual([expect.stringContaining(reason)]);
  });

  it('names each weak secret by its position', () => {
    expect(judge(`${TEST_SECRET},short,${'a'.repeat(40)}`)).toEqual([
      expect.stringMatching(/; number 2 has 5, number 3 repeats itself: too little entropy$/),
    ]);
  });

  it('refuses an empty list and duplicates', () => {
    expect(judge(',')).toEqual([expect.stringContaining('at least one secret')]);
    expect(judge(`${TEST_SECRET},${TEST_SECRET}`)).toEqual([expect.stringContaining('each secret once')]);
  });

  it('accepts the output of openssl and Node.js', () => {
    for (const encoding of ['base64', 'base64url', 'hex'] as const) {
      const secrets = Array.from({ length: 100 }, () => randomBytes(48).toString(encoding));
      expect(judge(secrets.join(','))).toEqual([]);
    }
  });
});

describe('DATABASE_DIRECT_URL', () => {
  it('is refused without DATABASE_URL', () => {
    const direct = { DATABASE_DIRECT_URL: 'postgres://u:p@db/traffy' };
    expect(refusals({ ...BASE, ...direct })).toEqual([
      expect.stringMatching(/^DATABASE_DIRECT_URL: given without/),
    ]);
    expect(refusals({ ...BASE, ...direct, DATABASE_URL: 'postgres://u:p@pooler/traffy' })).toEqual([]);
  });
});
