import { createContext, type ComponentChildren } from 'preact';
import { useContext, useRef, useState } from 'preact/hooks';
import { type Failure, failureOf, isCancelled } from '../failure.js';
import { t } from '../text.js';
import { Alert } from './alert.tsx';

type Values = Readonly<Record<string, string>>;

const REQUIRED: Readonly<Record<string, string>> = t.errors.required;

const Errors = createContext<Readonly<Record<string, string>>>({});

/** The message at a field; undefined if it is fine. */
export function useError(name: string): string | undefined {
  return useContext(Errors)[name];
}

export interface FormProps {
  /** Sends the values; a TraffyError that it throws is shown. A cancelled confirmation leaves the form as it is. */
  readonly submit: (values: Values) => Promise<void>;
  readonly button: string;
  readonly busy: string;
  readonly children: ComponentChildren;
  /** Beneath the button. */
  readonly footer?: ComponentChildren;
  /** Beneath the message of a failure. */
  readonly onFailure?: (failure: Failure | null) => ComponentChildren;
  readonly isDangerous?: boolean;
}

/** A form that keeps what was typed, except current passwords, shows failures at their fields and submits once. */
export function Form({ submit, button, busy, children, footer, onFailure, isDangerous = false }: FormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [failure, setFailure] = useState<Failure | null>(null);
  const [isSending, setSending] = useState(false);

  function fail(next: Failure): void {
    setFailure(next);
    setTitle(true);
    requestAnimationFrame(() => {
      const wrong = form.current?.querySelector<HTMLElement>('[aria-invalid=true]');
      // Without a message at a field, what must be typed again.
      const again = form.current?.querySelector<HTMLElement>('[data-secret], [autocomplete=one-time-code]');
      (wrong ?? again)?.focus();
    });
  }

  async function send(event: Event): Promise<void> {
    event.preventDefault();
    const element = form.current;
    if (!element || isSending) return;
    const mistakes = mistakesIn(element);
    if (mistakes) return fail(mistakes);
    setFailure(null);
    setTitle(false);
    setSending(true);
    const values = Object.fromEntries(new FormData(element)) as Values;
    element.dispatchEvent(new Event('sending'));
    try {
      await submit(values);
    } catch (error) {
      if (isCancelled(error)) return;
      for (const input of element.querySelectorAll<HTMLInputElement>('input[data-secret]')) {
        input.value = '';
        input.dispatchEvent(new Event('input'));
      }
      fail(failureOf(error));
    } finally {
      setSending(false);
    }
  }

  const known = Object.entries(failure?.fields ?? {});
  const shown = { ...failure, ...outsideFields(known, form.current, failure) } as Failure;
  return (
    <form ref={form} noValidate onSubmit={send}>
      <Alert failure={failure && shown}>{onFailure?.(failure)}</Alert>
      <Errors.Provider value={failure?.fields ?? {}}>{children}</Errors.Provider>
      <button type="submit" class={isDangerous ? 'danger' : 'primary'} aria-disabled={isSending}>
        {isSending ? busy : button}
      </button>
      {footer}
    </form>
  );
}

/** Messages of fields that the form does not have belong into its summary. */
function outsideFields(
  known: readonly (readonly [string, string])[],
  form: HTMLFormElement | null,
  failure: Failure | null,
): Pick<Failure, 'summary'> {
  const outside = known.filter(([name]) => !form?.elements.namedItem(name)).map(([, message]) => message);
  return { summary: outside.length > 0 ? outside.join(' ') : (failure?.summary ?? null) };
}

/** What the page can see itself, before it sends anything. */
function mistakesIn(form: HTMLFormElement): Failure | null {
  const fields: Record<string, string> = {};
  for (const { name, value, required, minLength } of form.querySelectorAll('input')) {
    if (required && value.trim() === '') fields[name] = REQUIRED[name] ?? t.errors.required.code;
    else if (lengthOf(value) < minLength) fields[name] = t.errors.passwordTooShort(minLength);
  }
  return Object.keys(fields).length === 0 ? null : { summary: null, code: null, fields };
}

/** The length of a password as the server counts it: in code points. */
export function lengthOf(password: string): number {
  return [...password.normalize('NFC')].length;
}

function setTitle(isFailed: boolean): void {
  const prefix = t.errorTitle('');
  const bare = document.title.startsWith(prefix) ? document.title.slice(prefix.length) : document.title;
  document.title = isFailed ? prefix + bare : bare;
}
