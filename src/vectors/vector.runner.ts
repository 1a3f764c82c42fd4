import pLimit from 'p-limit';
import type { Vector, VectorDocument } from './vector.document.js';

/** What a service made of a token; an answer that is neither yes nor no is no verdict. */
export type Verdict = 'accepted' | 'refused' | 'no verdict';

/** What a service made of one token. */
export interface Finding extends Omit<Vector, 'token'> {
  readonly got: Verdict;
  /** The status of its answer, or why there was none. */
  readonly answer: string;
}

export interface RunReport {
  /** Tokens that counted. */
  readonly sent: number;
  readonly wrong: readonly Finding[];
  /** Tokens about which good verifiers differ. */
  readonly not_counted: readonly Finding[];
}

/** Where the tokens go. */
export interface Target {
  readonly url: URL;
  /** The header field that carries the bare token; null for `Authorization: Bearer`. */
  readonly header: string | null;
}

/** Milliseconds for one answer. */
const ANSWER_TIMEOUT = 5000;
/** A few at once, so that a service that hangs at each token is through in two minutes. */
const CONCURRENCY = 4;
/** RFC 6750 §3.1: how a service refuses. */
const REFUSALS: readonly number[] = [400, 401, 403];

/** Asks without a token. Only if that is 401 do answers to tokens mean anything; otherwise this says what is wrong. */
export async function findTargetProblem(target: Target): Promise<string | null> {
  const { status, answer } = await ask(target, null);
  const { href } = target.url;
  if (status === 401) return null;
  if (status === null) return `${href} cannot be reached: ${answer}`;
  if (isSuccess(status)) return `${href} answers ${status} without a token: it is not protected`;
  return `${href} answers ${answer} without a token, where a protected URL answers 401`;
}

/** Sends every token of a document to a protected URL. Takes two minutes at most. */
export async function runVectors(document: VectorDocument, target: Target): Promise<RunReport> {
  const limit = pLimit(CONCURRENCY);
  const findings = await limit.map(document.vectors, ({ token, ...vector }) => judge(target, vector, token));
  const counted = findings.filter(({ expected }) => expected !== 'may');
  return {
    sent: counted.length,
    wrong: counted.filter(({ expected, got }) => got !== (expected === 'accept' ? 'accepted' : 'refused')),
    not_counted: findings.filter(({ expected }) => expected === 'may'),
  };
}

async function judge(target: Target, vector: Omit<Vector, 'token'>, token: string): Promise<Finding> {
  const { status, answer } = await ask(target, token);
  return { ...vector, got: verdictOf(status), answer };
}

function verdictOf(status: number | null): Verdict {
  if (status === null) return 'no verdict';
  if (isSuccess(status)) return 'accepted';
  return REFUSALS.includes(status) ? 'refused' : 'no verdict';
}

function isSuccess(status: number): boolean {
  return status >= 200 && status < 300;
}

/** @returns the status, null if there was no answer, and a text for people. */
async function ask(
  { url, header }: Target,
  token: string | null,
): Promise<{ status: number | null; answer: string }> {
  const credential: Record<string, string> =
    token === null ? {} : header === null ? { authorization: `Bearer ${token}` } : { [header]: token };
  try {
    const reply = await fetch(url, {
      // A redirect is no verdict, and where it leads a token has no business.
      redirect: 'manual',
      // A service may close the connection behind a refusal: the next token must not be lost with it.
      headers: { ...credential, connection: 'close' },
      signal: AbortSignal.timeout(ANSWER_TIMEOUT),
    });
    await reply.body?.cancel();
    return { status: reply.status, answer: `status ${reply.status}` };
  } catch (error) {
    return { status: null, answer: explain(error) };
  }
}

function explain(error: unknown): string {
  const { name, message, cause } = error as Error;
  if (name === 'TimeoutError') return `no answer in ${ANSWER_TIMEOUT / 1000} s`;
  return (cause as NodeJS.ErrnoException | undefined)?.code ?? message;
}
