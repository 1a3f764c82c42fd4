import { problemEntry, problemType, type Action, type ProblemCode } from './problem.catalogue.js';

export interface ProblemOptions {
  /** What happened this time, for a person. Never a secret, never what another account is like. */
  readonly detail?: string;
  readonly action?: Action;
  /** Further members of the body (RFC 9457 §3.2). */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is an error: a code of the catalogue and what is particular to this occurrence. */
export class Problem extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ProblemCode,
    private readonly options: ProblemOptions = {},
  ) {
    super(options.detail ?? problemEntry(code).title);
    this.name = 'Problem';
    this.status = problemEntry(code).status;
    this.headers = {
      ...(this.status === 401 && { 'www-authenticate': challenge(code) }),
      ...options.headers,
    };
  }

  /** The body (RFC 9457), with the id that the log knows the request by. */
  body(requestId: string): Record<string, unknown> {
    const entry = problemEntry(this.code);
    const action = this.options.action ?? entry.action;
    return {
      type: problemType(this.code),
      title: entry.title,
      status: entry.status,
      detail: this.message,
      code: this.code,
      request_id: requestId,
      ...(action && { action }),
      ...this.options.members,
    };
  }
}

/** RFC 6750 §3.1: an error code only where a credential was sent. Service clients come with Basic (RFC 6749 §2.3.1). */
function challenge(code: ProblemCode): string {
  if (code === 'invalid_client') return 'Basic realm="traffy", Bearer realm="traffy"';
  return code.startsWith('credential_')
    ? 'Bearer realm="traffy", error="invalid_token"'
    : 'Bearer realm="traffy"';
}
