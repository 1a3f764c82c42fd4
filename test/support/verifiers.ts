import { setTimeout as pause } from 'node:timers/promises';
import { TokenRefused, Undecided, type Verifier } from '../../src/verify/verify.entry.js';

/** What a verifier makes of a token: `good`, or why not. */
export async function verdictOf(verifier: Verifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
    return 'good';
  } catch (error) {
    if (error instanceof TokenRefused) return error.code;
    if (error instanceof Undecided) return error.name;
    throw error;
  }
}

/** Asks again until the verdict is the wanted one, or for so many milliseconds; gives the last one. */
export async function until(wanted: string, ask: () => Promise<string>, ms = 10_000): Promise<string> {
  const deadline = performance.now() + ms;
  for (;;) {
    const verdict = await ask();
    if (verdict === wanted || performance.now() > deadline) return verdict;
    await pause(50);
  }
}
