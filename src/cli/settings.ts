import { type Config, SETTINGS } from '../../config/load.config.js';

export interface ShownSetting {
  readonly name: string;
  /** As a person reads it; of a secret only whether there is one. */
  readonly value: string;
}

/** Every setting with its value in force, by name. */
export function listSettings(config: Config): ShownSetting[] {
  const values: Record<string, unknown> = Object.assign(
    {},
    config.app,
    config.auth,
    config.database,
    config.password,
    config.throttle,
  );
  return Object.values(SETTINGS).flatMap((settings) =>
    Object.entries(settings).map(([name, { secret }]) => ({
      name,
      value: show(values[name], secret === true),
    })),
  );
}

function show(value: unknown, isSecret: boolean): string {
  if (value === undefined) return '(unset)';
  if (isSecret) return Array.isArray(value) ? `(${value.length} secret)` : '(set)';
  if (value === null) return 'off';
  if (Array.isArray(value)) return value.join(',');
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'object' && 'count' in value && 'windowSeconds' in value) {
    return `${String(value.count)} in ${String(value.windowSeconds)} s`;
  }
  return String(value);
}
