import { hashToken } from '../../credentials/opaque-token.js';

/** The state of a presented refresh token, by the database's clock. */
export interface TokenState {
  readonly is_redeemed: boolean;
  readonly is_superseded: boolean;
  /** Whether it was redeemed within the grace period. */
  readonly is_in_grace: boolean;
}

/**
 * What presenting a refresh token means (docs/adr/0003): `rotate` the head; `repeat` returns the current head;
 * `replace_lost_head` if its successor was never used; `superseded` is reuse.
 */
export type LineageDecision = 'rotate' | 'repeat' | 'replace_lost_head' | 'superseded';

/** Decides by the state of the token alone. */
export function decideLineage({ is_redeemed, is_superseded, is_in_grace }: TokenState): LineageDecision {
  if (is_superseded) return 'superseded';
  if (!is_redeemed) return 'rotate';
  return is_in_grace ? 'repeat' : 'replace_lost_head';
}

/** A token of a lineage with its predecessor. */
export interface LineageLink {
  readonly token_hash: Buffer;
  readonly parent_hash: Buffer;
  readonly attempt: number;
  /** Whether it was not redeemed yet. */
  readonly is_head: boolean;
}

/**
 * Follows the lineage from an ancestor to its head.
 *
 * @param rederive derives a successor from its predecessor; `expected` is the SHA-256 of the result.
 * @returns null if the lineage ends without a head.
 */
export function followLineage(
  ancestor: string,
  links: readonly LineageLink[],
  rederive: (token: string, attempt: number, expected: Buffer) => string,
): string | null {
  const childOf = new Map(links.map((link) => [link.parent_hash.toString('base64'), link]));
  let token = ancestor;
  for (;;) {
    const child = childOf.get(hashToken(token).toString('base64'));
    if (!child) return null;
    token = rederive(token, child.attempt, child.token_hash);
    if (child.is_head) return token;
  }
}
