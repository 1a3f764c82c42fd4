import { t } from './text.js';

/** A wait in words: seconds up to two minutes, then minutes, rounded up. */
export function inWords(seconds: number): string {
  return seconds <= 120
    ? t.errors.seconds(Math.max(1, Math.ceil(seconds)))
    : t.errors.minutes(Math.ceil(seconds / 60));
}
