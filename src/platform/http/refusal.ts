import type { ProblemCode } from '../problems/problem.catalogue.js';

/** Why a request was refused, for its log line. Contains no part of a credential. */
export interface Refusal {
  code?: ProblemCode;
  /** Which check refused a credential or its bearer, such as `jwt:wrong_issuer`; several are separated by commas. */
  check?: string;
}

const refusals = new WeakMap<object, Refusal>();

/** Notes the problem that a request is answered with, or the check that refused its credentials. */
export function noteRefusal(request: object, refusal: Refusal): void {
  refusals.set(request, { ...refusals.get(request), ...refusal });
}

/**
 * Returns what the log line of a request says about its refusal. Only 401 and 403 name a check: elsewhere a refused
 * credential is no failure.
 */
export function refusalOf(request: object, status: number): Refusal {
  const { code, check } = refusals.get(request) ?? {};
  const isAboutCredential = status === 401 || status === 403;
  return { ...(code && status >= 400 && { code }), ...(check && isAboutCredential && { check }) };
}
