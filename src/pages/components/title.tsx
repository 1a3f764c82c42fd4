import { useEffect, useState } from 'preact/hooks';
import { site } from '../site.js';
import { t } from '../text.js';

/** The heading of a page, and the title of its window. A failure is announced there too. */
export function Title({ text, isFailed = false }: { readonly text: string; readonly isFailed?: boolean }) {
  useEffect(() => {
    document.title = `${isFailed ? t.errorTitle(text) : text} – ${site.brand}`;
  }, [text, isFailed]);
  return <h1 tabIndex={-1}>{text}</h1>;
}

/** Moves the focus to the heading after the page changed. */
export function focusHeading(): void {
  requestAnimationFrame(() => document.querySelector('h1')?.focus());
}

/** Seconds until a time of `performance.now()`, updated every second; 0 when it is reached. */
export function useCountdown(time: number | undefined): number {
  const left = () => (time === undefined ? 0 : Math.max(0, Math.ceil((time - performance.now()) / 1000)));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    setSeconds(left());
    if (time === undefined) return undefined;
    const timer = setInterval(() => {
      const now = left();
      setSeconds(now);
      if (now === 0) clearInterval(timer);
    }, 1000);
    return () => clearInterval(timer);
  }, [time]);
  return seconds;
}
