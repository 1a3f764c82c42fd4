import type { AccessTokenClaims } from './access-token.gate.js';
import type { RevocationEntry } from './revocations.gate.js';

/** Revoked tokens of one user: those issued before a time. Kept until the last of them has expired. */
interface CutOff {
  readonly before: number;
  readonly exp: number;
}

/**
 * The maximum of single entries. With more, all tokens issued so far count as revoked, which costs each client one
 * refresh.
 */
const ENTRIES_MAX = 200_000;

/** The known revocations, in bounded memory. Entries leave only by expiry. */
export class RevocationList {
  /** Ended sessions by id, with the expiry of the entry. */
  private readonly ended = new Map<string, number>();
  private readonly cutOffs = new Map<string, CutOff>();

  /**
   * Adds entries of the feed.
   *
   * @param at the time of the feed, in seconds since the epoch.
   */
  take(entries: readonly RevocationEntry[], at: number): void {
    for (const entry of entries) {
      if ('before' in entry) this.cutOff(ownerOf(entry), entry);
      else if ('sid' in entry) this.ended.set(entry.sid, Math.max(entry.exp, this.ended.get(entry.sid) ?? 0));
    }
    if (this.ended.size + this.cutOffs.size > ENTRIES_MAX) this.fold(at);
  }

  /** Deletes entries that concern expired tokens only. */
  forget(now: number): void {
    for (const [sid, exp] of this.ended) if (exp < now) this.ended.delete(sid);
    for (const [owner, { exp }] of this.cutOffs) if (exp < now) this.cutOffs.delete(owner);
  }

  /**
   * Whether a token is revoked, and the action that helps; null if it is not. A revoked-before time leaves the
   * session live.
   */
  judge({ sid, sub, iat }: AccessTokenClaims): 'login' | 'refresh' | null {
    if (this.ended.has(sid)) return 'login';
    const owners = [`sid:${sid}`, `sub:${sub}`, EVERYBODY];
    return owners.some((owner) => iat < (this.cutOffs.get(owner)?.before ?? 0)) ? 'refresh' : null;
  }

  private cutOff(owner: string, { before, exp }: CutOff): void {
    const known = this.cutOffs.get(owner);
    this.cutOffs.set(owner, {
      before: Math.max(before, known?.before ?? 0),
      exp: Math.max(exp, known?.exp ?? 0),
    });
  }

  private fold(at: number): void {
    const expiries = [...this.ended.values(), ...[...this.cutOffs.values()].map(({ exp }) => exp)];
    const exp = expiries.reduce((latest, one) => Math.max(latest, one), 0);
    this.ended.clear();
    this.cutOffs.clear();
    this.cutOff(EVERYBODY, { before: at + 1, exp });
  }
}

const EVERYBODY = 'everybody';

function ownerOf(entry: RevocationEntry): string {
  if ('sid' in entry) return `sid:${entry.sid}`;
  return 'sub' in entry ? `sub:${entry.sub}` : EVERYBODY;
}
