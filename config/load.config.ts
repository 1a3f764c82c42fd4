import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { appSettings, APP_ENVIRONMENTS, type AppConfig, type AppEnvironment } from './app.config.js';
import { auditSettings, type AuditConfig } from './audit.config.js';
import { authSettings, publicationTime, SECRET_MIN_BYTES, type AuthConfig } from './auth.config.js';
import { databaseSettings, type DatabaseConfig } from './database.config.js';
import { developmentSecret, developmentSecretPath } from './development-secret.config.js';
import { mailSettings, type MailConfig } from './mail.config.js';
import { meantName, nearestName } from './names.config.js';
import { pagesSettings, type PagesConfig } from './pages.config.js';
import { packageRoot } from './package-root.config.js';
import { passwordSettings, type PasswordConfig } from './password.config.js';
import type { Setting } from './setting.config.js';
import { throttleSettings, type ThrottleConfig } from './throttle.config.js';

/** The whole configuration, checked and typed, one member a namespace. */
export interface Config {
  readonly app: AppConfig;
  readonly auth: AuthConfig;
  readonly database: DatabaseConfig;
  readonly password: PasswordConfig;
  readonly throttle: ThrottleConfig;
  readonly mail: MailConfig;
  readonly audit: AuditConfig;
  readonly pages: PagesConfig;
}

/** One error of the configuration. */
export interface ConfigProblem {
  readonly name: string;
  readonly problem: string;
}

/** All errors of the configuration. The message is for a terminal. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? 'one setting is' : `${problems.length} settings are`;
    super([`${count} wrong:`, ...problems.map(({ name, problem }) => `  ${name}: ${problem}`)].join('\n'));
    this.name = 'ConfigError';
  }
}

/** Every setting by name, grouped as in the documentation. */
export const SETTINGS: Readonly<Record<string, Readonly<Record<string, Setting>>>> = {
  Application: appSettings,
  Database: databaseSettings,
  Authentication: authSettings,
  Passwords: passwordSettings,
  'Rate limits': throttleSettings,
  Mail: mailSettings,
  Pages: pagesSettings,
  Audit: auditSettings,
};

const ALL: Readonly<Record<string, Setting>> = Object.assign({}, ...Object.values(SETTINGS));

const KNOWN = new Set([
  ...Object.keys(ALL),
  ...Object.entries(ALL).flatMap(([name, setting]) => (setting.secret ? [`${name}_FILE`] : [])),
]);

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration from the environment variables, then the environment's file, then the defaults. In the first
 * two, `<NAME>_FILE` can name a file with the secret `<NAME>`.
 *
 * @param folder the folder of `<APP_ENV>.env`.
 * @throws ConfigError that lists every bad value with the given and the allowed values.
 */
export function loadConfig(
  env: Environment = process.env,
  folder: string = join(packageRoot(), 'config', 'environments'),
): Config {
  const problems: ConfigProblem[] = [];
  const report = (name: string, problem: string) => problems.push({ name, problem });

  for (const name of Object.keys(env)) {
    const nearest = KNOWN.has(name) ? null : meantName(name, KNOWN);
    if (nearest) report(name, `unknown setting; the nearest known name is ${nearest}`);
  }

  const environment = readEnvironmentName(env);
  const file = readEnvironmentFile(join(folder, `${environment}.env`), report);
  const texts = readTexts(env, file, report);
  const values: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(ALL)) {
    const text = texts[name] ?? setting.default;
    if (text === undefined) continue;
    const result = setting.schema.safeParse(text);
    if (result.success) values[name] = result.data;
    else report(name, describe(setting, text, result.error.issues));
  }

  fillDerived(values, environment);
  checkAcross(values, texts, environment, report);
  if (problems.length === 0 && values['AUTH_SECRETS'] === undefined) {
    values['AUTH_SECRETS'] = readDevelopmentSecret(values['DATA_DIR'] as string, report);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    app: pick<AppConfig>(values, appSettings),
    auth: pick<AuthConfig>(values, authSettings),
    database: pick<DatabaseConfig>(values, databaseSettings),
    password: pick<PasswordConfig>(values, passwordSettings),
    throttle: pick<ThrottleConfig>(values, throttleSettings),
    mail: pick<MailConfig>(values, mailSettings),
    audit: pick<AuditConfig>(values, auditSettings),
    pages: pick<PagesConfig>(values, pagesSettings),
  };
}

type Report = (name: string, problem: string) => void;

/** The setting's own schema reports a wrong name; the rest is then read as for development. */
function readEnvironmentName(env: Environment): AppEnvironment {
  return APP_ENVIRONMENTS.find((name) => name === env['APP_ENV']) ?? 'development';
}

/** Without its file, production would run with the defaults of development. */
function readEnvironmentFile(path: string, report: Report): Environment {
  if (!existsSync(path)) {
    report('APP_ENV', `the file of this environment is missing: ${path}`);
    return {};
  }
  const values = parseEnv(readFileSync(path, 'utf8'));
  for (const name of Object.keys(values)) {
    if (name === 'APP_ENV') report(name, `set in ${path}, which it chooses; set the environment variable`);
    if (KNOWN.has(name)) continue;
    report(name, `unknown setting in ${path}; the nearest known name is ${nearestName(name, KNOWN).name}`);
  }
  return values;
}

/** The text of each given setting; null if it could not be read. */
type Texts = Record<string, string | null>;

/** An empty variable counts as unset: Compose files and shells pass empty ones. */
function readTexts(env: Environment, file: Environment, report: Report): Texts {
  const texts: Texts = {};
  for (const [name, setting] of Object.entries(ALL)) {
    const source = [env, file].find((given) => given[name] || (setting.secret && given[`${name}_FILE`]));
    if (!source) continue;
    const path = setting.secret && source[`${name}_FILE`];
    const text = source[name] || null;
    texts[name] = path ? null : text;
    if (path && text) report(name, `given both as ${name} and as ${name}_FILE; set one of them`);
    if (path && !text) texts[name] = readSecretFile(`${name}_FILE`, path, report);
  }
  return texts;
}

function readSecretFile(name: string, path: string, report: Report): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    report(name, `cannot read ${path} (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
    return null;
  }
}

/** The generated secret of development and test. */
function readDevelopmentSecret(dataDir: string, report: Report): readonly string[] {
  try {
    const secret = developmentSecret(dataDir);
    if (Buffer.byteLength(secret) < SECRET_MIN_BYTES) {
      const path = developmentSecretPath(dataDir);
      report('AUTH_SECRETS', `the generated secret in ${path} is damaged; restore it, or set AUTH_SECRETS`);
    }
    return [secret];
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    report('DATA_DIR', `given ${JSON.stringify(dataDir)}; allowed is a writable folder (${code})`);
    return [];
  }
}

function describe(setting: Setting, text: string, issues: readonly { message: string }[]): string {
  const given = setting.secret ? `(a secret of ${Buffer.byteLength(text)} bytes)` : quote(text);
  return `given ${given}; allowed is ${issues.map((issue) => issue.message).join('; ')}`;
}

/** Quotes a value that is no secret itself, without the password of a URL. */
function quote(text: string): string {
  return JSON.stringify(text.replace(/\/\/[^/@]*@/g, '//…@'));
}

function fillDerived(values: Record<string, unknown>, environment: AppEnvironment): void {
  if (environment !== 'production' && values['PORT'] !== undefined) {
    // Browsers omit :80.
    values['PUBLIC_URL'] ??= new URL(`http://localhost:${String(values['PORT'])}`).origin;
  }
  values['AUTH_AUDIENCE'] ??= values['PUBLIC_URL'];
  values['TRUSTED_ORIGINS'] ??= [values['PUBLIC_URL']];
  const publicUrl = values['PUBLIC_URL'];
  if (typeof publicUrl === 'string') values['MAIL_FROM'] ??= `traffy@${new URL(publicUrl).hostname}`;
}

/** The rules about several settings. */
function checkAcross(
  values: Record<string, unknown>,
  texts: Texts,
  environment: AppEnvironment,
  report: Report,
): void {
  const memory = values['ARGON2_MEMORY_KIB'];
  const passes = values['ARGON2_PASSES'];
  if (typeof memory === 'number' && typeof passes === 'number' && memory < weakestMemory(passes)) {
    report(
      'ARGON2_MEMORY_KIB',
      `given ${memory} with ARGON2_PASSES ${passes}; allowed are at least 47104 with 1, 19456 with 2, 12288 with 3 passes or more (OWASP)`,
    );
  }
  const interval = values['KEY_ROTATION_INTERVAL'];
  const maxAge = values['JWKS_MAX_AGE'];
  if (typeof interval === 'number' && typeof maxAge === 'number' && interval < publicationTime(maxAge)) {
    report(
      'KEY_ROTATION_INTERVAL',
      `given ${interval}s with JWKS_MAX_AGE ${maxAge}s; allowed is at least ${publicationTime(maxAge)}s: a key is published that long before it signs`,
    );
  }
  if (values['DATABASE_DIRECT_URL'] !== undefined && texts['DATABASE_URL'] === undefined)
    report('DATABASE_DIRECT_URL', 'given without DATABASE_URL, the URL of the pooler');
  if (environment !== 'production') return;
  if (values['AUTH_REQUIRE_VERIFIED_EMAIL'] === true && texts['SMTP_URL'] === undefined)
    report('AUTH_REQUIRE_VERIFIED_EMAIL', 'given "true" without SMTP_URL; verification needs mail');
  const required = {
    DATABASE_URL: 'the PostgreSQL server: postgres://user:password@host:5432/database',
    AUTH_SECRETS: 'one or more secrets of 32 random bytes: openssl rand -base64 48',
    PUBLIC_URL: 'the https origin that clients use: https://auth.example.com',
    TRUST_PROXY:
      'the number of proxies in front (0 for none), or their networks: otherwise all clients share one rate limit, or any client can forge its address',
  };
  for (const [name, what] of Object.entries(required)) {
    if (texts[name] === undefined) report(name, `missing; production needs ${what}`);
  }
  if (texts['PUBLIC_URL']?.startsWith('http://')) {
    report('PUBLIC_URL', `given ${quote(texts['PUBLIC_URL'])}; production needs an https origin`);
  }
  const insecure = (texts['TRUSTED_ORIGINS'] ?? '').split(',').filter((text) => text.startsWith('http://'));
  if (insecure.length > 0) {
    report('TRUSTED_ORIGINS', `given ${quote(insecure.join(','))}; production needs https origins`);
  }
  for (const name of ['RATE_LIMIT_LOGIN', 'RATE_LIMIT_SIGNUP', 'RATE_LIMIT_DEFAULT']) {
    if (texts[name] === 'off') report(name, 'given "off"; allowed in development and test only');
  }
}

function weakestMemory(passes: number): number {
  if (passes >= 3) return 12_288;
  return passes === 2 ? 19_456 : 47_104;
}

function pick<T>(values: Record<string, unknown>, settings: Readonly<Record<string, Setting>>): T {
  return Object.fromEntries(Object.keys(settings).map((name) => [name, values[name]])) as T;
}
