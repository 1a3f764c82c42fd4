import { CHALLENGE_BYTES } from './webauthn-challenges.service.js';

/** The client data of a ceremony (WebAuthn Level 3 §5.8.1), as far as it is used here. */
export interface ClientData {
  readonly type: unknown;
  readonly origin: unknown;
  readonly challenge: Buffer;
  /** Whether the ceremony ran in a frame of another origin. */
  readonly isEmbedded: boolean;
}

/** A flaw of client data. */
export type ClientDataFlaw = 'type' | 'origin' | 'embedded';

/** @returns null if it is not client data, or its challenge cannot be one of ours. */
export function readClientData(encoded: string): ClientData | null {
  const data = parse(Buffer.from(encoded, 'base64url').toString('utf8'));
  if (typeof data?.['challenge'] !== 'string') return null;
  const challenge = Buffer.from(data['challenge'], 'base64url');
  const isOurForm =
    challenge.length === CHALLENGE_BYTES && challenge.toString('base64url') === data['challenge'];
  if (!isOurForm) return null;
  const { type, origin, crossOrigin, topOrigin } = data;
  return { type, origin, challenge, isEmbedded: Boolean(crossOrigin) || topOrigin !== undefined };
}

/** Checks the rules of §7.1 and §7.2; null if all hold. */
export function flawOf(
  { type, origin, isEmbedded }: ClientData,
  expected: { readonly type: 'webauthn.create' | 'webauthn.get'; readonly origins: readonly string[] },
): ClientDataFlaw | null {
  if (type !== expected.type) return 'type';
  if (!expected.origins.some((allowed) => allowed === origin)) return 'origin';
  return isEmbedded ? 'embedded' : null;
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}
