import { DEFAULT_LANGUAGE, type Language } from '../../texts/language.js';
import { inEnglish, inLanguage, type Text, valueInLanguage } from '../../texts/text.js';
import {
  problemEntry,
  problemTitle,
  problemType,
  type Action,
  type ProblemCode,
} from './problem.catalogue.js';

export interface ProblemOptions {
  /**
   * The explanation of this occurrence; a string is for developers, in English. Never contains secrets or facts about
   * other accounts.
   */
  readonly detail?: Text;
  readonly action?: Action;
  /** Further members of the body (RFC 9457 §3.2). Each text in them gets the language of the body. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An error response: a code of the catalogue and the details of this occurrence. */
export class Problem extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    readonly code: ProblemCode,
    private readonly options: ProblemOptions = {},
  ) {
    super(inEnglish(options.detail ?? problemTitle(code)));
    this.name = 'Problem';
    this.status = problemEntry(code).status;
    this.headers = {
      ...(this.status === 401 && { 'www-authenticate': challenge(code) }),
      ...options.headers,
    };
  }

  /** The language of the body for a client that prefers another one: a detail for developers is only in English. */
  languageFor(preferred: Language): Language {
    return typeof this.options.detail === 'string' ? DEFAULT_LANGUAGE : preferred;
  }

  /** Returns the body (RFC 9457) with the request id of the log. */
  body(requestId: string, language: Language = DEFAULT_LANGUAGE): Record<string, unknown> {
    const { status, action: usual } = problemEntry(this.code);
    const { detail, action = usual, members = {} } = this.options;
    const title = problemTitle(this.code, language);
    return {
      type: problemType(this.code),
      title,
      status,
      detail: detail === undefined ? title : inLanguage(detail, language),
      code: this.code,
      request_id: requestId,
      ...(action && { action }),
      ...(valueInLanguage(members, language) as Record<string, unknown>),
    };
  }
}

/** RFC 6750 §3.1: an error code only if a credential was sent. Service clients use Basic (RFC 6749 §2.3.1). */
function challenge(code: ProblemCode): string {
  if (code === 'invalid_client') return 'Basic realm="traffy", Bearer realm="traffy"';
  return code.startsWith('credential_')
    ? 'Bearer realm="traffy", error="invalid_token"'
    : 'Bearer realm="traffy"';
}
