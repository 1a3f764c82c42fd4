import pLimit from 'p-limit';
import type { Vector, VectorDocument } from './vector.document.js';

/** The verdict of a service on a token; any other answer is no verdict. */
type Verdict = 'accepted' | 'refused' | 'no verdict';

/** The result for one token. */
interface Finding extends Omit<Vector, 'token'> {
  readonly got: Verdict;
  /** The status of the answer, or why there was none. */
  readonly answer: string;
}

export interface RunReport {
  /** The number of tokens that count. */
  readonly sent: number;
  readonly wrong: readonly Finding[];
  /** Tokens on which correct verifiers differ. */
  readonly not_counted: readonly Finding[];
}

/** The URL that receives the tokens. */
export interface Target {
  readonly url: URL;
  /** The header field that carries the bare token; null for `Authorization: Bearer`. */
  readonly header: string | null;
}

/** Milliseconds for one answer. */
const ANSWER_TIMEOUT = 5000;
/** A few concurrently, so that a service that hangs on every token is tested within two minutes. */
const CONCURRENCY = 4;
/** RFC 6750 §3.1: the statuses of a refusal. */
const REFUSALS: readonly number[] = [400, 401, 403];

/**
 * Sends a request without a token. The answers to tokens are meaningful only if it gets 401; otherwise returns the
 * problem.
 */
export async function findTargetProblem(target: Target): Promise<string | null> {
  const { status, answer } = await ask(target, null);
  const { href } = target.url;
  if (status === 401) return null;
  if (status === null) return `${href} cannot be reached: ${answer}`;
  if (isSuccess(status)) return `${href} answers ${status} without a token: it is not protected`;
  return `${href} answers ${answer} without a token, but a protected URL answers 401`;
}

/** Sends all tokens of a document to a protected URL. Takes at most two minutes. */
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

/** @returns the status, null without an answer, and a text for reports. */
async function ask(
  { url, header }: Target,
  token: string | null,
): Promise<{ status: number | null; answer: string }> {
  const credential: Record<string, string> =
    token === null ? {} : header === null ? { authorization: `Bearer ${token}` } : { [header]: token };
  try {
    const reply = await fetch(url, {
      // A redirect is no verdict, and the token must not be sent to its target.
      redirect: 'manual',
      // A service may close the connection after a refusal: the next token must not be lost with it.
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
