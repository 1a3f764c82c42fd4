import { TraffyError } from '../client/client.entry.js';
import { t } from './text.js';

/** A failed call, as a form shows it. */
export interface Failure {
  /** What happened; null if the fields say it all. */
  readonly summary: string | null;
  /** Messages by the name of the field. */
  readonly fields: Readonly<Record<string, string>>;
  /** When another attempt makes sense, by `performance.now()`; the sentence gets the wait. */
  readonly retryAt?: { readonly time: number; readonly says: (wait: string) => string };
  readonly code: string | null;
}

/** Says what failed, and what to do. */
export function failureOf(error: unknown): Failure {
  if (!(error instanceof TraffyError)) return { summary: t.errors.unknown, fields: {}, code: null };
  const { code, status, problem, retryAfter } = error;
  const base = { summary: null, fields: {}, code };
  if (code === 'network_error')
    return { ...base, summary: navigator.onLine ? t.errors.timeout : t.errors.offline };
  if (retryAfter !== undefined && (status === 429 || status === 503)) {
    const says = status === 429 ? t.errors.rateLimited : t.errors.unavailable;
    return { ...base, retryAt: { time: performance.now() + retryAfter * 1000, says } };
  }
  if (status >= 500) return { ...base, summary: t.errors.server(problem.request_id ?? '–') };
  // The first message of a field is the one to mend first.
  const fields = Object.fromEntries(
    (problem.errors ?? []).map(({ path, message }) => [path, sentence(message)] as const).toReversed(),
  );
  if (Object.keys(fields).length > 0) return { ...base, fields };
  return { ...base, summary: t.errors.byCode[code] ?? error.message };
}

/** Whether a person cancelled the confirmation of who they are. */
export function isCancelled(error: unknown): boolean {
  return error instanceof TraffyError && error.code === 'step_up_required';
}

/** Puts the refusal of a token at the field where its code was typed: it can be mended there, unlike a link. */
export function wrongCode(token: string | null): (error: unknown) => never {
  return (error) => {
    if (token !== null || !(error instanceof TraffyError) || error.code !== 'token_invalid') throw error;
    const errors = [{ path: 'code', message: t.reset.wrongCode }];
    throw new TraffyError(error.code, error.status, { ...error.problem, errors });
  };
}

function sentence(message: string): string {
  const text = message.charAt(0).toUpperCase() + message.slice(1);
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
