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

/** Milliseconds between two polls where the feed does not say, and the bounds of what it may say. */
const POLL = { default: 10_000, least: 1_000, most: 60_000 };
/** Milliseconds for which the issuer lets all who ask share one look. */
const SHARED = 1_000;

/** The newest copy of the feed that was believed. */
interface Newest {
  readonly iat: number;
  readonly exp: number;
  /** When it was asked for, by the monotonic clock. */
  readonly askedAt: number;
}

/** What the feed was asked. */
interface Question {
  readonly url: string;
  /** From where on; null for all. */
  readonly cursor: string | null;
  /** By the monotonic clock. */
  readonly askedAt: number;
}

/**
 * What the issuer's feed says is dead. Polled by whoever verifies, as often as the feed's `max-age` asks; after the
 * first copy only for what is new.
 *
 * A token stops working here within `max-age` (10 s) and the time of one request after it was revoked. An old copy,
 * from whatever cache or attacker, can never undo what was heard, and is believed until its signed `exp` at most. What
 * is new since another cursor than the one asked for is no answer: it would leave out what came before.
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
   * Whether a token is dead, and what then helps; null if it is not.
   *
   * @throws RevocationsUnavailable where that cannot be told, and must be.
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

  /** By both clocks: the signature's times are of the wall clock, which may be set back. */
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
      // What is not believed any more has to come anew.
      ...(this.seen?.url === url.href && this.isBelievable() && { 'if-none-match': this.seen.etag }),
    };
    try {
      return await this.source.read(url.href, headers, (download) => this.hear(download, question));
    } catch (error) {
      // Whatever it was, the whole feed is understood without knowing what came before.
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
    // All of it answers any question: it only says more.
    if (since !== null && since !== asked)
      throw new Error('the copy of the revocation feed answers another cursor than the one asked for');
    this.list.take(entries, iat);
    this.list.forget(Date.now() / 1000);
    if (entries.some((entry) => 'keys' in entry)) await this.options.keys.reload();
    // From a node that is a moment behind, or replayed: what it said is true, but it is not news.
    if (this.newest && iat < this.newest.iat) return;
    this.newest = { iat, exp, askedAt };
    this.cursor = cursor;
  }

  private async verified(document: string): Promise<RevocationsPayload> {
    const found = inspectRevocations(document, this.options);
    if (!found) throw new Error('the revocation feed is malformed, or of another issuer');
    const key = await this.options.keys.find(found.kid, found.algorithm);
    if (typeof key === 'string') throw new Error(`the revocation feed is not to be verified: ${key}`);
    if (!(await verifySignature(document, key, found.algorithm)))
      throw new Error('the revocation feed has a bad signature');
    const { payload } = found;
    const now = Date.now() / 1000;
    if (now >= payload.exp) throw new Error('the copy of the revocation feed has expired');
    if (payload.iat > now + this.options.toleranceSeconds)
      throw new Error('the revocation feed is from the future: one of the clocks is wrong');
    return payload;
  }
}
