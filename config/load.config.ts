import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseEnv } from 'node:util';
import { distance } from 'fastest-levenshtein';
import { appSettings, APP_ENVIRONMENTS, type AppConfig, type AppEnvironment } from './app.config.js';
import { authSettings, type AuthConfig } from './auth.config.js';
import { databaseSettings, type DatabaseConfig } from './database.config.js';
import { developmentSecret } from './development-secret.config.js';
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
  /** Sentences for the operator about settings that were accepted but deserve a word. */
  readonly notes: readonly string[];
}

/** One thing that is wrong with the configuration. */
export interface ConfigProblem {
  readonly name: string;
  readonly problem: string;
}

/** All that is wrong with the configuration, in one error. The message is for a terminal. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? 'one setting is' : `${problems.length} settings are`;
    super([`${count} wrong:`, ...problems.map(({ name, problem }) => `  ${name}: ${problem}`)].join('\n'));
    this.name = 'ConfigError';
  }
}

/** Every setting by its name, grouped as the documentation shows them. */
export const SETTINGS: Readonly<Record<string, Readonly<Record<string, Setting>>>> = {
  Application: appSettings,
  Database: databaseSettings,
  Authentication: authSettings,
  Passwords: passwordSettings,
  'Rate limits': throttleSettings,
};

const ALL: Readonly<Record<string, Setting>> = Object.assign({}, ...Object.values(SETTINGS));

/** Settings of the contract whose feature this version does not have yet. */
const LATER = [
  'KEY_ROTATION_INTERVAL',
  'STEP_UP_TTL',
  'AUTH_REQUIRE_VERIFIED_EMAIL',
  'SMTP_URL',
  'MAIL_FROM',
];

const KNOWN = new Set([
  ...Object.keys(ALL),
  ...Object.entries(ALL).flatMap(([name, setting]) => (setting.secret ? [`${name}_FILE`] : [])),
  ...LATER,
]);

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Reads the configuration from environment variables, `<NAME>_FILE` files, the environment's file in
 * `config/environments` and the defaults, in this order of precedence.
 *
 * @throws ConfigError naming every bad value at once, with what was given and what is allowed.
 */
export function loadConfig(env: Environment = process.env): Config {
  const problems: ConfigProblem[] = [];
  const report = (name: string, problem: string) => problems.push({ name, problem });

  for (const name of Object.keys(env)) {
    const nearest = KNOWN.has(name) ? null : nearestKnownName(name);
    if (nearest) report(name, `unknown setting; the nearest known name is ${nearest}`);
  }

  const environment = readEnvironmentName(env);
  const file = readEnvironmentFile(environment, report);
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
  checkAcross(values, texts, environment, env, report);
  if (problems.length > 0) throw new ConfigError(problems);
  if (values['AUTH_SECRETS'] === undefined) {
    values['AUTH_SECRETS'] = [developmentSecret(values['DATA_DIR'] as string)];
  }
  return {
    app: pick<AppConfig>(values, appSettings),
    auth: pick<AuthConfig>(values, authSettings),
    database: pick<DatabaseConfig>(values, databaseSettings),
    password: pick<PasswordConfig>(values, passwordSettings),
    throttle: pick<ThrottleConfig>(values, throttleSettings),
    notes: LATER.filter((name) => env[name] !== undefined).map(
      (name) => `${name} is set, but this version does not have its feature yet: it has no effect`,
    ),
  };
}

type Report = (name: string, problem: string) => void;

/** A wrong name is reported by the setting's own schema; the rest is then read as for development. */
function readEnvironmentName(env: Environment): AppEnvironment {
  return APP_ENVIRONMENTS.find((name) => name === env['APP_ENV']) ?? 'development';
}

function readEnvironmentFile(environment: AppEnvironment, report: Report): Environment {
  const path = join(packageRoot(), 'config', 'environments', `${environment}.env`);
  if (!existsSync(path)) return {};
  const values = parseEnv(readFileSync(path, 'utf8'));
  for (const name of Object.keys(values)) {
    if (KNOWN.has(name)) continue;
    report(name, `unknown setting in ${path}; the nearest known name is ${closest(name).name}`);
  }
  return values;
}

/** The text of each setting that was given, wherever it was given. An empty variable counts as unset. */
function readTexts(env: Environment, file: Environment, report: Report): Record<string, string> {
  const texts: Record<string, string> = {};
  for (const [name, setting] of Object.entries(ALL)) {
    const path = setting.secret ? env[`${name}_FILE`] : undefined;
    if (path && env[name]) {
      report(name, `given both as ${name} and as ${name}_FILE; set one of them`);
    } else if (path) {
      try {
        texts[name] = readFileSync(path, 'utf8').trim();
      } catch (error) {
        report(`${name}_FILE`, `cannot read ${path} (${(error as NodeJS.ErrnoException).code ?? 'error'})`);
      }
    } else {
      const text = env[name] || file[name];
      if (text) texts[name] = text;
    }
  }
  return texts;
}

function describe(setting: Setting, text: string, issues: readonly { message: string }[]): string {
  const given = setting.secret ? `(a secret of ${Buffer.byteLength(text)} bytes)` : JSON.stringify(text);
  return `given ${given}; allowed is ${issues.map((issue) => issue.message).join('; ')}`;
}

function fillDerived(values: Record<string, unknown>, environment: AppEnvironment): void {
  if (environment !== 'production') values['PUBLIC_URL'] ??= `http://localhost:${String(values['PORT'])}`;
  values['AUTH_AUDIENCE'] ??= values['PUBLIC_URL'];
  values['TRUSTED_ORIGINS'] ??= [values['PUBLIC_URL']];
}

/** The rules that look at more than one value. */
function checkAcross(
  values: Record<string, unknown>,
  texts: Record<string, string>,
  environment: AppEnvironment,
  env: Environment,
  report: Report,
): void {
  if (/^(true|on|1|yes)$/i.test(env['AUTH_REQUIRE_VERIFIED_EMAIL'] ?? '')) {
    report(
      'AUTH_REQUIRE_VERIFIED_EMAIL',
      'this version cannot send mail yet, so it cannot require verification',
    );
  }
  const memory = values['ARGON2_MEMORY_KIB'];
  const passes = values['ARGON2_PASSES'];
  if (typeof memory === 'number' && typeof passes === 'number' && memory < weakestMemory(passes)) {
    report(
      'ARGON2_MEMORY_KIB',
      `given ${memory} with ARGON2_PASSES ${passes}; allowed are at least 47104 with 1, 19456 with 2, 12288 with 3 passes or more (OWASP)`,
    );
  }
  if (environment !== 'production') return;
  const required = {
    DATABASE_URL: 'the PostgreSQL server: postgres://user:password@host:5432/database',
    AUTH_SECRETS: 'one or more secrets of 32 random bytes: openssl rand -base64 48',
    PUBLIC_URL: 'the https origin clients use: https://auth.example.com',
    TRUST_PROXY:
      'how many proxies stand in front (0 for none), or their networks: otherwise rate limits see one client or believe anyone',
  };
  for (const [name, what] of Object.entries(required)) {
    if (texts[name] === undefined) report(name, `missing; production needs ${what}`);
  }
  if (texts['PUBLIC_URL']?.startsWith('http://')) {
    report('PUBLIC_URL', `given ${JSON.stringify(texts['PUBLIC_URL'])}; production needs an https origin`);
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

/**
 * The known name that this one was probably meant to be, or null. Two edits make a typing error of a long name;
 * of a short one (HOME and HOST, OS and DOCS are two edits apart) only one edit or two swapped letters do.
 */
function nearestKnownName(name: string): string | null {
  if (!/^[A-Z][A-Z0-9_]*$/.test(name)) return null;
  const { name: nearest, edits } = closest(name);
  if (edits > 2) return null;
  if (nearest.length >= 7 || edits === 1) return nearest;
  return sortLetters(name) === sortLetters(nearest) ? nearest : null;
}

function closest(name: string): { name: string; edits: number } {
  let best = { name: '', edits: Number.POSITIVE_INFINITY };
  for (const known of KNOWN) {
    const edits = distance(name, known);
    if (edits < best.edits) best = { name: known, edits };
  }
  return best;
}

function sortLetters(text: string): string {
  return [...text].toSorted().join('');
}

/** The folder of our package.json, from the sources as well as from the build. */
function packageRoot(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder) return process.cwd();
    folder = parent;
  }
  return folder;
}
