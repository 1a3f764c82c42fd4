import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { type Failure, failureOf, isCancelled } from '../failure.js';
import { t } from '../text.js';
import { Alert } from './alert.tsx';

/** A part of a long page. */
export function Section({
  id,
  title,
  badge,
  children,
}: {
  readonly id: string;
  readonly title: string;
  readonly badge?: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <section class="card" id={id} aria-labelledby={`${id}-title`}>
      <div class="heading">
        <h2 id={`${id}-title`} tabIndex={-1}>
          {title}
        </h2>
        {badge}
      </div>
      {children}
    </section>
  );
}

/** What a section shows beneath its content: the outcome of its last action. */
export function Outcome({
  failure,
  notice,
}: {
  readonly failure: Failure | null;
  readonly notice: string | null;
}) {
  return (
    <>
      <Alert failure={failure} />
      <p class="notice" role="status" hidden={notice === null}>
        {notice}
      </p>
    </>
  );
}

interface Action {
  readonly failure: Failure | null;
  readonly notice: string | null;
  readonly isBusy: boolean;
  /** Runs an action: its result is a notice, its TraffyError a failure. A cancelled confirmation is neither. */
  run(action: () => Promise<string | undefined>): Promise<void>;
}

/** The state of the actions of a section: one at a time. */
export function useAction(): Action {
  const [failure, setFailure] = useState<Failure | null>(null);
  const [notice, setNotice] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  return {
    failure,
    notice,
    isBusy,
    run: async (action) => {
      if (isBusy) return;
      setBusy(true);
      setFailure(null);
      setNotice(null);
      try {
        setNotice((await action()) ?? null);
      } catch (error) {
        if (!isCancelled(error)) setFailure(failureOf(error));
      } finally {
        setBusy(false);
      }
    },
  };
}

interface Loaded<T> {
  readonly value: T | undefined;
  readonly failure: Failure | null;
  reload(): Promise<void>;
}

/** Loads something when the section appears. */
export function useLoaded<T>(load: () => Promise<T>): Loaded<T> {
  const [value, setValue] = useState<T>();
  const [failure, setFailure] = useState<Failure | null>(null);
  const reload = async () => {
    try {
      setValue(await load());
      setFailure(null);
    } catch (error) {
      setFailure(failureOf(error));
    }
  };
  useEffect(() => void reload(), []);
  return { value, failure, reload };
}

/** A section's content, once it is loaded. */
export function Content<T>({
  loaded,
  children,
}: {
  readonly loaded: Loaded<T>;
  readonly children: (value: T) => ComponentChildren;
}) {
  const { value, failure, reload } = loaded;
  if (value !== undefined) return <>{children(value)}</>;
  if (!failure) return <div class="skeleton" aria-label={t.loading} role="img" />;
  return (
    <>
      <Alert failure={failure} />
      <button type="button" onClick={() => void reload()}>
        {t.account.retry}
      </button>
    </>
  );
}
