/** The algorithms that tokens of ours are signed with; each key serves exactly one (RFC 8725 §3.1). */
export type SignatureAlgorithm = 'ES256' | 'PS256' | 'RS256';

export const SIGNATURE_ALGORITHMS: readonly SignatureAlgorithm[] = ['ES256', 'PS256', 'RS256'];

/** What is wrong with a compact JWS before anybody looks at what it says. */
export type CompactRefusal =
  'malformed' | 'critical_header' | 'wrong_algorithm' | 'wrong_type' | 'bad_key_id';

export type Members = Readonly<Record<string, unknown>>;

/** How a compact JWS of a kind must look. */
export interface CompactRules {
  /** What `typ` must match: each kind has a type of its own, so that none can pass as another (RFC 8725 §3.11). */
  readonly type: RegExp;
  readonly algorithms: readonly SignatureAlgorithm[];
  /** Characters that it may have. */
  readonly maxLength: number;
}

export type CompactResult =
  | {
      readonly ok: true;
      readonly kid: string;
      readonly algorithm: SignatureAlgorithm;
      readonly payload: Members;
    }
  | { readonly ok: false; readonly refusal: CompactRefusal };

/** Nothing that could be a path, a query or a name of a prototype's member. */
export const KEY_ID = /^(?!__)[A-Za-z0-9._-]{1,128}$/;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads the grammar and the header of a compact JWS, before any key is fetched or any signature computed.
 *
 * `jku`, `x5u`, `jwk` and `x5c` are never looked at; names that stand twice count as the last, in every parser here.
 */
export function inspectCompact(token: string, rules: CompactRules): CompactResult {
  if (token.length > rules.maxLength) return refuse('malformed');
  // RFC 7515 §3.1: exactly three parts of base64url, none empty. No JSON serialization, no JWE, no padding.
  const parts = token.split('.', 4);
  if (parts.length !== 3 || !parts.every(isCanonical)) return refuse('malformed');
  const [encodedHeader = '', encodedPayload = ''] = parts;
  const header = parseObject(encodedHeader);
  const payload = parseObject(encodedPayload);
  if (!header || !payload) return refuse('malformed');
  const { alg, kid, typ } = header;
  // No extension is understood, so none may be critical (RFC 7515 §4.1.11); b64 is one (RFC 7797).
  if ('crit' in header || 'b64' in header) return refuse('critical_header');
  const algorithm = rules.algorithms.find((allowed) => allowed === alg);
  if (algorithm === undefined) return refuse('wrong_algorithm');
  if (typeof typ !== 'string' || !rules.type.test(typ)) return refuse('wrong_type');
  if (typeof kid !== 'string' || !KEY_ID.test(kid)) return refuse('bad_key_id');
  return { ok: true, kid, algorithm, payload };
}

function refuse(refusal: CompactRefusal): CompactResult {
  return { ok: false, refusal };
}

/**
 * Whether a part is base64url, not empty, and the one spelling of its bytes: the last character can carry stray bits, and
 * what is no base64url is passed over in decoding. No regular expression: on the megabytes of a feed one can use up its stack.
 */
function isCanonical(part: string): boolean {
  return part !== '' && Buffer.from(part, 'base64url').toString('base64url') === part;
}

function parseObject(part: string): Members | null {
  try {
    const value: unknown = JSON.parse(UTF8.decode(Buffer.from(part, 'base64url')));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Members) : null;
  } catch {
    return null;
  }
}
