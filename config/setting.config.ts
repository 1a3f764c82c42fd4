import { z } from 'zod';

/**
 * One configuration value: validation, type and documentation.
 *
 * `schema` converts the text of the environment variable to the typed value; its error message says what is allowed.
 * `default` is the text if the variable is unset; without a default the value can be `undefined`.
 */
export interface Setting<T = unknown> {
  readonly schema: z.ZodType<T, string>;
  readonly default?: string;
  /** Describes the default in the documentation if it depends on something else. */
  readonly defaultText?: string;
  /** A secret is never shown, and is also read from the file that `<NAME>_FILE` names. */
  readonly secret?: true;
  readonly meaning: string;
}

/** The settings of one namespace, by the names of their environment variables. */
type Settings = Readonly<Record<string, Setting>>;

/** The typed values of a namespace. A setting without a default can be undefined. */
export type Values<S extends Settings> = {
  readonly [K in keyof S]: S[K] extends { default: string }
    ? z.output<S[K]['schema']>
    : z.output<S[K]['schema']> | undefined;
};

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const;

/** `90s`, `10m`, `12h`, `14d` → seconds. */
export function duration({ min = 0, max = 400 * 86_400 }: { min?: number; max?: number } = {}) {
  const allowed = `a duration such as 30s, 10m, 12h or 14d, from ${inUnits(min)} to ${inUnits(max)}`;
  return z
    .string()
    .regex(/^\d{1,9}[smhd]$/, { error: allowed })
    .transform((text) => parseSeconds(text))
    .refine((seconds) => seconds >= min && seconds <= max, { error: allowed });
}

/** A whole number within bounds. */
export function wholeNumber(min: number, max: number) {
  const allowed = `a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,10}$/, { error: allowed })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: allowed });
}

/** `on` or `off` → boolean. */
export function onOff() {
  return z.enum(['on', 'off'], { error: 'on or off' }).transform((text) => text === 'on');
}

/** An origin: scheme, host and port, without a path or a trailing slash. */
export function origin() {
  return z.string().refine((text) => isOrigin(text), {
    error:
      'an origin as browsers send it, such as https://auth.example.com: http or https, lower case, no path, no trailing slash, no :443 or :80',
  });
}

/** Schemes whose pages have no origin of their own, or whose origin is no page of an application. */
const NO_ORIGIN = new Set(['about', 'blob', 'data', 'file', 'ftp', 'javascript', 'null', 'ws', 'wss']);

/** An origin whose pages can be trusted: of a website, or of an application with a scheme of its own. */
export function pageOrigin() {
  return z.string().refine((text) => isOrigin(text) || isApplicationOrigin(text), {
    error:
      'an origin as browsers send it, such as https://app.example.com, capacitor://localhost or chrome-extension://<id>: no path, no trailing slash, no *, http and https in lower case and without :443 or :80',
  });
}

/** The requests per client address in a window of seconds; `null` if the limit is off. */
export type RateLimit = { readonly count: number; readonly windowSeconds: number } | null;

/** The longest window, in seconds. In-memory counters expire by a timer, which is limited to 24 days. */
const LONGEST_WINDOW = 7 * 86_400;

/** `10/1m` → count and window; `off` → null. */
export function rateLimit() {
  const allowed =
    'a count and a window of at most 7d such as 10/1m or 600/1h, or off (development and test only)';
  return z
    .string()
    .regex(/^(off|[1-9]\d{0,8}\/[1-9]\d{0,5}[smhd])$/, { error: allowed })
    .transform((text): RateLimit => {
      if (text === 'off') return null;
      const [count, window] = text.split('/') as [string, string];
      return { count: Number(count), windowSeconds: parseSeconds(window) };
    })
    .refine((limit) => limit === null || limit.windowSeconds <= LONGEST_WINDOW, { error: allowed });
}

function parseSeconds(text: string): number {
  return Number(text.slice(0, -1)) * UNIT_SECONDS[text.slice(-1) as keyof typeof UNIT_SECONDS];
}

/** Formats seconds in the largest unit that gives a whole number. */
function inUnits(seconds: number): string {
  const units = Object.entries(UNIT_SECONDS).toReversed();
  const [unit, length] = units.find(([, size]) => seconds >= size && seconds % size === 0) ?? ['s', 1];
  return `${seconds / length}${unit}`;
}

function isApplicationOrigin(text: string): boolean {
  const [, scheme = ''] = /^([a-z][a-z0-9+.-]*):\/\/[A-Za-z0-9._-]+(?::\d{1,5})?$/.exec(text) ?? [];
  return scheme !== '' && !/^https?$/.test(scheme) && !NO_ORIGIN.has(scheme);
}

function isOrigin(text: string): boolean {
  if (!/^https?:\/\/[^*]+$/.test(text) || !URL.canParse(text)) return false;
  return new URL(text).origin === text;
}
