import { language } from './text.js';

const UNITS = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
const absolute = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'short' });
const day = new Intl.DateTimeFormat(language, { dateStyle: 'long' });

/** A time as people say it, such as `5 minutes ago`. */
function ago(time: string): string {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  for (const [unit, size] of UNITS) {
    if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
  }
  return relative.format(0, 'second');
}

/** The day of a time. */
export const dayOf = (time: string): string => day.format(new Date(time));

/** A time in words, with the exact time beneath the pointer. */
export function Time({ at, says }: { readonly at: string; readonly says?: (time: string) => string }) {
  const text = ago(at);
  return (
    <time dateTime={at} title={absolute.format(new Date(at))}>
      {says ? says(text) : text}
    </time>
  );
}
