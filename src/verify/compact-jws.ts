/** The signing algorithms of our tokens; each key serves exactly one (RFC 8725 §3.1). */
export type SignatureAlgorithm = 'ES256' | 'PS256' | 'RS256';

export const SIGNATURE_ALGORITHMS: readonly SignatureAlgorithm[] = ['ES256', 'PS256', 'RS256'];

/** The flaw of a compact JWS, before its payload is read. */
export type CompactRefusal =
  'malformed' | 'critical_header' | 'wrong_algorithm' | 'wrong_type' | 'bad_key_id';

export type Members = Readonly<Record<string, unknown>>;

/** The rules for one kind of compact JWS. */
export interface CompactRules {
  /** The pattern of `typ`: each kind has its own type, so that none is accepted as another (RFC 8725 §3.11). */
  readonly type: RegExp;
  readonly algorithms: readonly SignatureAlgorithm[];
  /** The maximum of characters. */
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

/** Excludes paths, queries and members of a prototype. */
export const KEY_ID = /^(?!__)[A-Za-z0-9._-]{1,128}$/;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Checks the grammar and the header of a compact JWS, before any key is fetched or signature computed.
 *
 * `jku`, `x5u`, `jwk` and `x5c` are never used; of a duplicate name the last one counts, in every parser here.
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
  // No extension is supported, so none may be critical (RFC 7515 §4.1.11); b64 is one (RFC 7797).
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
 * Whether a part is non-empty base64url in its canonical encoding: the last character can have stray bits, and
 * decoding skips invalid characters. No regular expression: on a feed of megabytes it could exhaust the stack.
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
