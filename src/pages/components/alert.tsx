import type { ComponentChildren } from 'preact';
import { inWords } from '../duration.js';
import type { Failure } from '../failure.js';
import { t } from '../text.js';
import { useCountdown } from './title.tsx';

/**
 * What went wrong. The box exists from the start, so that screen readers announce what it gets. A wait counts down
 * for the eye and is announced once.
 */
export function Alert({
  failure,
  children,
}: {
  readonly failure: Failure | null;
  readonly children?: ComponentChildren;
}) {
  const retryAt = failure?.retryAt;
  const left = useCountdown(retryAt?.time);
  return (
    <div class="alert" role="alert" hidden={!failure || (failure.summary === null && !retryAt && !children)}>
      {failure && failure.summary !== null && <p>{failure.summary}</p>}
      {retryAt && <Wait key={retryAt.time} left={left} says={retryAt.says} />}
      {failure && children}
    </div>
  );
}

function Wait({ left, says }: { readonly left: number; readonly says: (wait: string) => string }) {
  if (left === 0) return <p>{t.errors.retryNow}</p>;
  return (
    <p class="countdown" aria-live="off">
      {says(inWords(left))}
    </p>
  );
}
