import { type Config, SETTINGS } from '../../config/load.config.js';

export interface ShownSetting {
  readonly name: string;
  /** The value as text. For a secret: only whether it is set. */
  readonly value: string;
}

/** Every setting with its effective value, by name. */
export function listSettings(config: Config): ShownSetting[] {
  const values: Record<string, unknown> = Object.assign(
    {},
    config.app,
    config.auth,
    config.database,
    config.password,
    config.throttle,
    config.mail,
    config.audit,
  );
  return Object.values(SETTINGS).flatMap((settings) =>
    Object.entries(settings).map(([name, { secret }]) => ({
      name,
      value: show(name, values[name], secret === true),
    })),
  );
}

/** Settings whose values are durations in seconds. */
const DURATIONS = /_(TTL|GRACE|AGE|INTERVAL|RETENTION)$/;

/** The value as it is written in the environment. */
function show(name: string, value: unknown, isSecret: boolean): string {
  if (value === undefined) return '(unset)';
  if (isSecret) return Array.isArray(value) ? `(${value.length} secret)` : '(set)';
  if (value === null) return 'off';
  if (Array.isArray(value)) return value.join(',');
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'object' && 'count' in value && 'windowSeconds' in value) {
    return `${String(value.count)}/${duration(Number(value.windowSeconds))}`;
  }
  return typeof value === 'number' && DURATIONS.test(name) ? duration(value) : String(value);
}

function duration(seconds: number): string {
  const units = { d: 86_400, h: 3600, m: 60 };
  const [unit, size] = Object.entries(units).find(([, length]) => seconds % length === 0) ?? ['s', 1];
  return `${seconds / size}${unit}`;
}
