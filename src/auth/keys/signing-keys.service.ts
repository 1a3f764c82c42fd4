import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import type { Logger } from 'pino';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../platform/database/database.js';
import { LOGGER } from '../../platform/logging/logger.js';
import { Unavailable } from '../../platform/problems/overload.js';
import { SharedRun } from '../../platform/database/shared-run.js';
import { RevocationFeed, type RevocationNotice } from '../revocation/revocation-feed.service.js';
import { KeyLifecycle } from './key-lifecycle.service.js';
import { openKey, SecretsDoNotFit, type SigningKeyPair, UnfitSigningKey } from './key-pair.js';
import type { KeysTables } from './keys.tables.js';
import { leaseTime, refreshCooldown } from './key-times.js';

/** A key set as RFC 7517 §5 shows it: public members only. */
export interface JsonWebKeySet {
  readonly keys: readonly Readonly<Record<string, string>>[];
}

/**
 * The keys that sign access tokens, as this node knows them; all nodes share them through the database. Each serves
 * exactly one algorithm (RFC 8725 §3.1), so that a token cannot choose how it is verified.
 *
 * All times are milliseconds of the monotonic clock: a step of the system clock must not hide keys from this node.
 */
@Injectable()
export class SigningKeys implements OnModuleInit {
  private keys: ReadonlyMap<string, SigningKeyPair> = new Map();
  private published: JsonWebKeySet = { keys: [] };
  /** When the query for these keys was sent. */
  private readAt = Number.NEGATIVE_INFINITY;
  /** When a notification arrived that may have revoked a key. */
  private overtakenAt = Number.NEGATIVE_INFINITY;
  private refreshedAt = Number.NEGATIVE_INFINITY;
  private refreshing: Promise<void> = Promise.resolve();
  /** The key of this node's lease, and the end of the lease. */
  private lease = { kid: '', until: Number.NEGATIVE_INFINITY };
  /** Keys that were reported as unusable. */
  private readonly skipped = new Set<string>();
  private readonly readings = new SharedRun(() => this.read((error, kid) => this.skip(error, kid)));
  private readonly renewals = new SharedRun(() => this.takeLease());

  constructor(
    private readonly database: Database,
    private readonly feed: RevocationFeed,
    private readonly lifecycle: KeyLifecycle,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws SecretsDoNotFit, UnfitSigningKey */
  async onModuleInit(): Promise<void> {
    await this.read(refuse);
    this.feed.subscribe((notices) => this.hear(notices));
    await this.renew();
  }

  /** Whether there is a key to sign with. */
  get isReady(): boolean {
    return this.leased() !== null;
  }

  /**
   * Returns the current key.
   *
   * @throws Unavailable if this node has not learned for so long which key is current that it may be another one.
   */
  current(): SigningKeyPair {
    const key = this.leased();
    if (key) return key;
    this.renewSoon();
    throw new Unavailable('the current signing key is unknown at the moment');
  }

  /**
   * Returns the key with this id; null if it does not exist. Reads the keys again for an unknown id, which another
   * node may have just created.
   *
   * @throws the driver's error if a key may have been revoked and the database is unavailable.
   */
  async find(kid: string): Promise<SigningKeyPair | null> {
    if (this.isOvertaken || !this.feed.isFresh) await this.readings.run();
    const known = this.keys.get(kid);
    if (known) return known;
    await this.refresh();
    return this.keys.get(kid) ?? null;
  }

  /** Returns the public keys for other services, including new keys of other nodes. */
  async jwks(): Promise<JsonWebKeySet> {
    // While the database is unavailable, serve the known keys.
    await this.refresh().catch(() => undefined);
    return this.published;
  }

  /** Seconds since the known keys were read. */
  get age(): number {
    return (performance.now() - this.readAt) / 1000;
  }

  /** Reads the current key and all published keys; creates one if none exists. */
  renew(): Promise<void> {
    return this.renewals.run();
  }

  private get isOvertaken(): boolean {
    return this.readAt <= this.overtakenAt;
  }

  private leased(): SigningKeyPair | null {
    if (this.isOvertaken || performance.now() >= this.lease.until) return null;
    return this.keys.get(this.lease.kid) ?? null;
  }

  private async takeLease(): Promise<void> {
    const askedAt = performance.now();
    // Twice: a promotion that commits in between hides both keys from one statement.
    let kid = (await this.lifecycle.lease()) ?? (await this.lifecycle.lease());
    if (kid === null) {
      await this.lifecycle.ensureCurrent();
      kid = await this.lifecycle.lease();
    }
    this.lease = { kid: kid ?? '', until: askedAt + leaseTime(this.config) * 1000 };
    await this.readings.run();
  }

  private renewSoon(): void {
    // KeyRotation reports errors in its rounds.
    this.renew().catch(() => undefined);
  }

  private hear(notices: readonly RevocationNotice[] | 'lost'): void {
    if (notices !== 'lost' && !notices.some(({ kind }) => kind === 'key')) return;
    this.overtakenAt = performance.now();
    this.renewSoon();
  }

  /** Reads the keys again, unless they were read a moment ago. Concurrent callers share one query. */
  private refresh(): Promise<void> {
    const now = performance.now();
    if (now - this.refreshedAt >= refreshCooldown(this.config) * 1000) {
      this.refreshedAt = now;
      this.refreshing = this.readings.run();
    }
    return this.refreshing;
  }

  /**
   * A running node skips a key that it cannot decrypt: another node may already encrypt under a secret that this one
   * gets at its next start.
   */
  private skip(error: Error, kid: string): void {
    if (this.skipped.has(kid)) return;
    this.skipped.add(kid);
    this.logger.error({ event: 'signing_key_unusable', kid, err: error });
  }

  private async read(unusable: (error: Error, kid: string) => void): Promise<void> {
    const askedAt = performance.now();
    const rows = await this.database
      .of<KeysTables>()
      .selectFrom('signing_keys')
      .select(['kid', 'algorithm', 'public_jwk', 'private_key'])
      .where('state', '<>', 'retired')
      .orderBy('created_at', 'desc')
      .execute();
    const keys = new Map<string, SigningKeyPair>();
    for (const row of rows) {
      try {
        // A decrypted key stays usable: it may have been re-encrypted under a secret that this node gets later.
        keys.set(row.kid, this.keys.get(row.kid) ?? openKey(row, this.config.AUTH_SECRETS));
      } catch (error) {
        if (!(error instanceof SecretsDoNotFit) && !(error instanceof UnfitSigningKey)) throw error;
        unusable(error, row.kid);
      }
    }
    const isBereft = this.leased() !== null && !keys.has(this.lease.kid);
    this.keys = keys;
    this.published = { keys: rows.map((row) => row.public_jwk) };
    this.readAt = askedAt;
    if (isBereft) this.renewSoon();
  }
}

/** A start fails on an unusable key: the node would refuse tokens that others accept. */
function refuse(error: Error): never {
  throw error;
}
