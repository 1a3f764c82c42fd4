import { z } from 'zod';

/**
 * One configuration value: how its text is checked and read, and what people are told of it.
 *
 * `schema` takes the text of the environment variable and gives the typed value; its error message says what
 * is allowed. `default` is that text where the variable is unset; without one the value may be `undefined`.
 */
export interface Setting<T = unknown> {
  readonly schema: z.ZodType<T, string>;
  readonly default?: string;
  /** How the default is described in the documentation where it depends on something else. */
  readonly defaultText?: string;
  /** A secret is never shown, and is also read from the file that `<NAME>_FILE` points to. */
  readonly secret?: true;
  readonly meaning: string;
}

/** The settings of one namespace, by the names of their environment variables. */
export type Settings = Readonly<Record<string, Setting>>;

/** The typed values of a namespace. A setting without a default may be undefined. */
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

/** How many requests a client address may make in a window of seconds; `null` where counting is off. */
export type RateLimit = { readonly count: number; readonly windowSeconds: number } | null;

/** A window of a rate limit, in seconds. A counter in memory ends by a timer, which knows 24 days at most. */
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

/** Seconds in the largest unit that gives a whole number. */
function inUnits(seconds: number): string {
  const units = Object.entries(UNIT_SECONDS).toReversed();
  const [unit, length] = units.find(([, size]) => seconds >= size && seconds % size === 0) ?? ['s', 1];
  return `${seconds / length}${unit}`;
}

function isOrigin(text: string): boolean {
  if (!/^https?:\/\/[^*]+$/.test(text) || !URL.canParse(text)) return false;
  return new URL(text).origin === text;
}
