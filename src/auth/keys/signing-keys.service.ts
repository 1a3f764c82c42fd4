import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import type { AuthConfig } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
import { LOGGER } from '../../logging/logger.js';
import { Unavailable } from '../../problems/overload.js';
import { SharedRun } from '../shared-run.js';
import { RevocationFeed, type RevocationNotice } from '../sessions/revocation-feed.service.js';
import { KeyLifecycle } from './key-lifecycle.service.js';
import {
  openKey,
  type SealedKey,
  SecretsDoNotFit,
  type SigningKeyPair,
  UnfitSigningKey,
} from './key-pair.js';
import { leaseTime, refreshCooldown } from './key-times.js';

/** A key set as RFC 7517 §5 shows it: public members only. */
export interface JsonWebKeySet {
  readonly keys: readonly Readonly<Record<string, string>>[];
}

interface KeyRow extends SealedKey {
  public_jwk: Record<string, string>;
}

/**
 * The keys that sign access tokens, as this node knows them; all nodes share them through the database. Each serves
 * exactly one algorithm (RFC 8725 §3.1), so that a token cannot choose how it is verified.
 *
 * All times here are milliseconds of the monotonic clock: a step of the system's clock must not blind this node to keys.
 */
@Injectable()
export class SigningKeys implements OnModuleInit {
  private keys: ReadonlyMap<string, SigningKeyPair> = new Map();
  private published: JsonWebKeySet = { keys: [] };
  /** When the question left whose answer these keys are. */
  private readAt = Number.NEGATIVE_INFINITY;
  /** When something was heard that may have ended a key. */
  private overtakenAt = Number.NEGATIVE_INFINITY;
  private refreshedAt = Number.NEGATIVE_INFINITY;
  private refreshing: Promise<void> = Promise.resolve();
  /** The key that this node announced to sign with, and until when. */
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
   * The key that signs now.
   *
   * @throws Unavailable when this node could not learn for so long which one it is that it may be another by now.
   */
  current(): SigningKeyPair {
    const key = this.leased();
    if (key) return key;
    this.renewSoon();
    throw new Unavailable('which key signs is not known at the moment');
  }

  /**
   * The key with this id; null if there is none. Another node may have made it a moment ago, so it looks again.
   *
   * @throws the driver's error when a key may have been revoked, and the database cannot be asked.
   */
  async find(kid: string): Promise<SigningKeyPair | null> {
    if (this.isOvertaken || !this.feed.isFresh) await this.readings.run();
    const known = this.keys.get(kid);
    if (known) return known;
    await this.refresh();
    return this.keys.get(kid) ?? null;
  }

  /** The public halves, for other services, those that other nodes just made included. */
  async jwks(): Promise<JsonWebKeySet> {
    // While the database is away, the keys known so far serve better than none.
    await this.refresh().catch(() => undefined);
    return this.published;
  }

  /** Seconds since the database was asked for the keys that are known now. */
  get age(): number {
    return (performance.now() - this.readAt) / 1000;
  }

  /** Asks anew which key signs, and for all that are published; makes one if there is none. */
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
    // Twice: a promotion that commits in the middle of it hides both keys from a statement.
    let kid = (await this.lifecycle.lease()) ?? (await this.lifecycle.lease());
    if (kid === null) {
      await this.lifecycle.ensureCurrent();
      kid = await this.lifecycle.lease();
    }
    this.lease = { kid: kid ?? '', until: askedAt + leaseTime(this.config) * 1000 };
    await this.readings.run();
  }

  private renewSoon(): void {
    // Whoever sees to the keys in rounds reports what is wrong.
    this.renew().catch(() => undefined);
  }

  private hear(notices: readonly RevocationNotice[] | 'lost'): void {
    if (notices !== 'lost' && !notices.some(({ kind }) => kind === 'key')) return;
    this.overtakenAt = performance.now();
    this.renewSoon();
  }

  /** Reads the keys again unless that was a moment ago. Whoever comes meanwhile waits for the same answer. */
  private refresh(): Promise<void> {
    const now = performance.now();
    if (now - this.refreshedAt >= refreshCooldown(this.config) * 1000) {
      this.refreshedAt = now;
      this.refreshing = this.readings.run();
    }
    return this.refreshing;
  }

  /**
   * A node that runs goes on without a key that it cannot open: another node may already seal under a secret that
   * this one gets with its next start.
   */
  private skip(error: Error, kid: string): void {
    if (this.skipped.has(kid)) return;
    this.skipped.add(kid);
    this.logger.error({ event: 'signing_key_unusable', kid, err: error });
  }

  private async read(unusable: (error: Error, kid: string) => void): Promise<void> {
    const askedAt = performance.now();
    const rows = await this.database.query(
      sql<KeyRow>`select kid, algorithm, public_jwk, private_key from signing_keys where state <> 'retired' order by created_at desc`,
    );
    const keys = new Map<string, SigningKeyPair>();
    for (const row of rows) {
      try {
        // One that was opened stays open: it may have been sealed anew, under a secret that this node gets later.
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

/** A start fails on a key that it cannot use: it would refuse tokens that other nodes take. */
function refuse(error: Error): never {
  throw error;
}
