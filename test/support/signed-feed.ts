import { setTimeout as pause } from 'node:timers/promises';
import { expect } from '@jest/globals';
import {
  TokenRefused,
  Undecided,
  type Verifier,
  type VerifierOptions,
} from '../../src/verify/verify.entry.js';
import type { Reply } from './client.js';
import { decodeToken } from './jwt.js';

export type Entry = Readonly<Record<string, unknown>>;

export function claimsOf(document: string): Record<string, unknown> {
  return decodeToken(document).claims;
}

export function entriesOf(reply: Reply): Entry[] {
  expect(reply.status).toBe(200);
  return claimsOf(reply.text)['entries'] as Entry[];
}

export function cursorOf(reply: Reply): string {
  return claimsOf(reply.text)['cursor'] as string;
}

export async function verdictOf(verifier: Verifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
    return 'good';
  } catch (error) {
    if (error instanceof TokenRefused) return `${error.code}, ${error.action}`;
    if (error instanceof Undecided) return error.name;
    throw error;
  }
}

/** Asks again until the answer is as wanted, or for so many seconds; gives the last one. */
export async function until<T>(
  isWanted: (value: T) => boolean,
  ask: () => Promise<T>,
  seconds = 12,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const value = await ask();
    if (isWanted(value) || performance.now() > deadline) return value;
    await pause(50);
  }
}

/** `good`, or all that is known of why not. */
export async function explained(verifier: Verifier, token: string): Promise<string> {
  try {
    await verifier.verify(token);
    return 'good';
  } catch (error) {
    const { cause } = error as Error;
    return [error, cause, (cause as Error | undefined)?.cause].filter(Boolean).map(String).join(' < ');
  }
}

/** Waits longer than a verifier does by itself: where the issuer is in the same process, fifty thousand entries take their time. */
export const patient: NonNullable<VerifierOptions['fetch']> = (input, init) =>
  fetch(input, { ...init, signal: AbortSignal.timeout(60_000) });
