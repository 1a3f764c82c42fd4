import type { AccessTokenClaims } from './access-token.gate.js';
import { verifySignature } from './signature.js';
import { type Download, type Fetch, freshFor, Source } from './download.js';
import type { KeySet } from './key-set.js';
import { Renewal } from './renewal.js';
import { RevocationList } from './revocation-list.js';
import {
  FEED_MAX_BYTES,
  inspectRevocations,
  REVOCATIONS_MEDIA_TYPE,
  type RevocationsPayload,
  type RevocationsRules,
} from './revocations.gate.js';
import { RevocationsUnavailable } from './verify.errors.js';

export interface RevocationsOptions extends RevocationsRules {
  readonly uri: string;
  readonly fetch: Fetch;
  readonly keys: KeySet;
  readonly toleranceSeconds: number;
  readonly maxStaleSeconds: number;
  readonly onUnavailable: 'refuse' | 'accept';
  readonly report: (error: unknown) => void;
}

/** Milliseconds between two polls by default, and the bounds for the value of the feed. */
const POLL = { default: 10_000, least: 1_000, most: 60_000 };
/** Milliseconds for which the issuer shares one read of the database among all clients. */
const SHARED = 1_000;

/** The newest accepted copy of the feed. */
interface Newest {
  readonly iat: number;
  readonly exp: number;
  /** When it was requested, by the monotonic clock. */
  readonly askedAt: number;
}

/** A request to the feed. */
interface Question {
  readonly url: string;
  /** The cursor to start from; null for all. */
  readonly cursor: string | null;
  /** By the monotonic clock. */
  readonly askedAt: number;
}

/**
 * The revocations in the issuer's feed. Verifications trigger polls, as often as the feed's `max-age` says; after the
 * first copy only for new entries.
 *
 * A token is refused within `max-age` (10 s) and the time of one request after its revocation. An old copy, from any
 * cache or attacker, can never undo a known revocation, and is used until its signed `exp` at most. New entries since
 * another cursor than the requested one are refused: they would omit earlier ones.
 */
export class Revocations {
  private readonly list = new RevocationList();
  private readonly source: Source;
  private readonly renewal: Renewal;
  private newest: Newest | null = null;
  private heardAt = Number.NEGATIVE_INFINITY;
  private cursor: string | null = null;
  private seen: { readonly url: string; readonly etag: string } | null = null;

  constructor(private readonly options: RevocationsOptions) {
    this.source = new Source(options.fetch, FEED_MAX_BYTES);
    this.renewal = new Renewal(() => this.poll(), options.report);
  }

  /**
   * Whether a token is revoked, and the action that helps; null if it is not.
   *
   * @throws RevocationsUnavailable if that is unknown and must be known.
   */
  async judge(claims: AccessTokenClaims): Promise<'login' | 'refresh' | null> {
    if (!this.isBelievable()) this.renewal.invalidate();
    const failure = await this.renewal.keepFresh().then(
      () => 'the newest copy has expired',
      (error: unknown) => error,
    );
    if (this.options.onUnavailable === 'refuse' && !this.isBelievable())
      throw new RevocationsUnavailable(failure);
    return this.list.judge(claims);
  }

  /** By both clocks: the times in the document are of the wall clock, which can be set back. */
  private isBelievable(): boolean {
    if (!this.newest) return false;
    const { iat, exp, askedAt } = this.newest;
    const now = performance.now();
    const isHeard = now < this.heardAt + this.options.maxStaleSeconds * 1000;
    return isHeard && Date.now() < exp * 1000 && now < askedAt + (exp - iat) * 1000;
  }

  private async poll(): Promise<number> {
    const askedAt = performance.now();
    const url = new URL(this.options.uri);
    const { cursor } = this;
    if (cursor !== null) url.searchParams.set('cursor', cursor);
    const question: Question = { url: url.href, cursor, askedAt };
    const headers = {
      accept: REVOCATIONS_MEDIA_TYPE,
      // An expired copy must be sent again in full.
      ...(this.seen?.url === url.href && this.isBelievable() && { 'if-none-match': this.seen.etag }),
    };
    try {
      return await this.source.read(url.href, headers, (download) => this.hear(download, question));
    } catch (error) {
      // On any failure: the full feed needs no knowledge of earlier entries.
      this.cursor = null;
      this.seen = null;
      throw error;
    }
  }

  private async hear({ status, headers, text }: Download, question: Question): Promise<number> {
    if (status === 200) {
      await this.take(text, question);
      const etag = headers.get('etag');
      this.seen = etag === null ? null : { url: question.url, etag };
    }
    this.heardAt = question.askedAt;
    return Math.min(POLL.most, Math.max(POLL.least, freshFor(headers, POLL.default) - SHARED));
  }

  private async take(document: string, { cursor: asked, askedAt }: Question): Promise<void> {
    const { iat, exp, since, cursor, entries } = await this.verified(document);
    // A complete feed answers any request: it only contains more.
    if (since !== null && since !== asked)
      throw new Error('the copy of the revocation feed answers another cursor than the requested one');
    this.list.take(entries, iat);
    this.list.forget(Date.now() / 1000);
    if (entries.some((entry) => 'keys' in entry)) await this.options.keys.reload();
    // From a lagging node, or replayed: its entries are true, but it is not the newest.
    if (this.newest && iat < this.newest.iat) return;
    this.newest = { iat, exp, askedAt };
    this.cursor = cursor;
  }

  private async verified(document: string): Promise<RevocationsPayload> {
    const found = inspectRevocations(document, this.options);
    if (!found) throw new Error('the revocation feed is malformed or from another issuer');
    const key = await this.options.keys.find(found.kid, found.algorithm);
    if (typeof key === 'string') throw new Error(`the revocation feed cannot be verified: ${key}`);
    if (!(await verifySignature(document, key, found.algorithm)))
      throw new Error('the revocation feed has an invalid signature');
    const { payload } = found;
    const now = Date.now() / 1000;
    if (now >= payload.exp) throw new Error('the copy of the revocation feed has expired');
    if (payload.iat > now + this.options.toleranceSeconds)
      throw new Error('the revocation feed is from the future: one of the clocks is wrong');
    return payload;
  }
}
