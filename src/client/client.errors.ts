import type { ProblemCode } from './specification.data.js';

/**
 * The code of a problem (RFC 9457), or one of the client: `network_error` (no answer: offline, refused, timeout),
 * `unexpected_reply` (the answer is not from Traffy), `passkey_cancelled`, `passkey_unsupported`.
 */
export type ErrorCode =
  | ProblemCode
  | 'network_error'
  | 'unexpected_reply'
  | 'passkey_cancelled'
  | 'passkey_unsupported'
  // A newer server can have more codes.
  | (string & {});

/** The members of a problem that the client reads; each problem can have more. */
export interface ProblemBody {
  readonly code?: string;
  readonly title?: string;
  readonly detail?: string;
  readonly action?: 'login' | 'refresh' | 'step_up';
  readonly request_id?: string;
  /** The wrong fields of `validation_failed`. */
  readonly errors?: readonly { readonly path: string; readonly message: string }[];
  readonly [member: string]: unknown;
}

/** Any refused or failed call. Branch on `code`. */
export class TraffyError extends Error {
  override readonly name = 'TraffyError';

  /**
   * @param status the HTTP status; 0 if there was no answer.
   * @param retryAfter seconds to wait, of a 429 or 503.
   * @param problem the whole answer.
   */
  constructor(
    readonly code: ErrorCode,
    readonly status = 0,
    readonly problem: ProblemBody = {},
    readonly retryAfter?: number,
    cause?: unknown,
  ) {
    super(problem.detail ?? problem.title ?? code, { cause });
  }
}
