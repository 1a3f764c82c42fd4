import { DEMO_USER } from './demo-users.ts';
import { state } from './state.ts';

/** Milliseconds to wait for a part of the page. */
const PATIENCE = 5_000;
/** Wrong attempts until the sign-in page speaks of a pause. */
const ATTEMPTS = 4;

const VALUES: Readonly<Record<string, string>> = {
  email: DEMO_USER,
  password: 'yourlongpassphrase',
  new_password: 'yourlongpassphrase',
  code: 'mock-code',
};

/**
 * Does what a person does to see the situation of the mock: sends the only form of a page, or begins a sensitive call.
 * It runs at every load, so that a page under work is back where it was.
 */
export async function demonstrate(): Promise<void> {
  const { situation } = state;
  if (situation === 'normal') return;
  if (situation === 'step_up') {
    if (location.pathname === '/account') (await found('#data button'))?.click();
    return;
  }
  // The other pages load something when they start.
  if (['/', '/account', '/admin'].includes(location.pathname)) return;
  for (let attempt = 0; attempt < (situation === 'locked_out' ? ATTEMPTS : 1); attempt += 1) {
    const form = await found<HTMLFormElement>('main form:not(:has([aria-disabled=true]))');
    if (!form) return;
    fill(form);
    form.requestSubmit();
    await pause();
  }
}

function fill(form: HTMLFormElement): void {
  for (const input of form.querySelectorAll('input')) {
    const value = VALUES[input.name];
    if (value === undefined || input.value !== '') continue;
    input.value = value;
    input.dispatchEvent(new Event('input', { bubbles: true }));
  }
}

/** The element, once the page has it; null if it never does. */
async function found<T extends HTMLElement>(selector: string): Promise<T | null> {
  const deadline = performance.now() + PATIENCE;
  while (performance.now() < deadline) {
    const element = document.querySelector<T>(selector);
    if (element) return element;
    await pause();
  }
  return null;
}

/** Long enough for the page to show what it does. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 50));
}
