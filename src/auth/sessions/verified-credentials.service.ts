import { hash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { StrategyName } from '../../../config/auth.config.js';
import { Database } from '../../platform/database/database.js';
import { RevocationFeed, type RevocationNotice } from '../revocation/revocation-feed.service.js';
import type { LiveSession } from './session-state.js';

/** The maximum of cached credentials, about a kilobyte each. */
const REMEMBERED_MAX = 20_000;
/** Milliseconds after which a credential is verified again in any case. */
const REMEMBERED_FOR = 300_000;
/** Milliseconds that a revocation is kept for lookups that began before it: longer than any lookup takes. */
const IN_MIND = 60_000;
/** Revocations kept individually; beyond that, all pending lookups count as outdated. */
const IN_MIND_MAX = 50_000;

/** The start of a lookup, by the monotonic clock: a later revocation invalidates its result. */
export type Reading = number;

interface Remembered {
  readonly session: LiveSession;
  /** When the credential or its session expires, in milliseconds since the epoch. */
  readonly expiresAt: number;
}

/**
 * A cache of verified credentials, so that a request needs no database query. Only live credentials are cached, under
 * SHA-256 of their kind and text, which neither collides nor leaks. Revocations remove them; while this node's
 * revocation feed is stale, the cache returns nothing.
 *
 * Only verification may use it: issue a credential only after reading the session row.
 */
@Injectable()
export class VerifiedCredentials {
  private readonly remembered: LRUCache<string, Remembered>;
  private readonly keysOfSession = new Map<string, Set<string>>();
  private readonly revoked: LRUCache<string, Reading>;
  private everythingRevokedAt: Reading = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly feed: RevocationFeed,
    private readonly database: Database,
  ) {
    this.remembered = new LRUCache<string, Remembered>({
      max: REMEMBERED_MAX,
      ttl: REMEMBERED_FOR,
      dispose: ({ session }, key) => this.unlink(session.sessionId, key),
    });
    this.revoked = new LRUCache<string, Reading>({
      max: IN_MIND_MAX,
      ttl: IN_MIND,
      dispose: (at, _id, reason) => {
        if (reason === 'evict') this.everythingRevokedAt = Math.max(this.everythingRevokedAt, at);
      },
    });
    feed.subscribe((notices) => this.forget(notices));
  }

  /** The session of a cached credential; null if it must be read. */
  find(kind: StrategyName, credential: string): LiveSession | null {
    if (!this.feed.isFresh) return null;
    const found = this.remembered.get(keyOf(kind, credential));
    return found && found.expiresAt > this.database.clock.now() ? found.session : null;
  }

  /** Call it before a credential is read, for `remember`. */
  begin(): Reading {
    return performance.now();
  }

  /**
   * Caches a live credential, unless it may have been revoked while it was read.
   *
   * @param expiresAt when it expires.
   */
  remember(
    reading: Reading,
    kind: StrategyName,
    credential: string,
    session: LiveSession,
    expiresAt: Date,
  ): void {
    const { sessionId, userId } = session;
    const ids = [sessionId, userId];
    if (this.everythingRevokedAt >= reading || ids.some((id) => (this.revoked.get(id) ?? -1) >= reading))
      return;
    const key = keyOf(kind, credential);
    // Not every verification counts as use: the session can reach its idle timeout while it is cached.
    const until = Math.min(expiresAt.getTime(), session.expiresAt.getTime(), session.idlesAt.getTime());
    this.remembered.set(key, { session, expiresAt: until });
    const keys = this.keysOfSession.get(sessionId) ?? new Set();
    this.keysOfSession.set(sessionId, keys.add(key));
  }

  private forget(notices: readonly RevocationNotice[] | 'lost'): void {
    if (notices === 'lost') return this.forgetAll();
    const users = new Set<string>();
    for (const { kind, sessionId, userId } of notices) {
      if (kind === 'all' || kind === 'key') this.forgetAll();
      else if (sessionId !== null) this.forgetSession(sessionId);
      else if (userId !== null) users.add(userId);
    }
    if (users.size > 0) this.forgetUsers(users);
  }

  private forgetSession(sessionId: string): void {
    this.revoked.set(sessionId, performance.now());
    for (const key of this.keysOfSession.get(sessionId) ?? []) this.remembered.delete(key);
  }

  private forgetUsers(users: ReadonlySet<string>): void {
    for (const userId of users) this.revoked.set(userId, performance.now());
    for (const [key, { session }] of this.remembered.entries()) {
      if (users.has(session.userId)) this.remembered.delete(key);
    }
  }

  private forgetAll(): void {
    this.everythingRevokedAt = performance.now();
    this.remembered.clear();
  }

  private unlink(sessionId: string, key: string): void {
    const keys = this.keysOfSession.get(sessionId);
    keys?.delete(key);
    if (keys?.size === 0) this.keysOfSession.delete(sessionId);
  }
}

/** The key contains the kind: a credential must never match one of another kind. */
function keyOf(kind: StrategyName, credential: string): string {
  return hash('sha256', `${kind}:${credential}`, 'base64');
}
