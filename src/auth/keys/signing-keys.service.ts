import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { sql } from 'kysely';
import type { Logger } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import type { AuthConfig, SigningAlgorithm } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
import { LOGGER } from '../../logging/logger.js';
import { seal, unseal } from './secrets.js';

/** ASVS 5.0.0 11.2.3. */
const RSA_BITS = 3072;
/** RFC 7518 §3.3: weaker keys are refused, wherever they came from. */
const RSA_BITS_MIN = 2048;
/** Milliseconds between two looks for keys of other nodes: tokens with invented key ids must not cost a query each. */
const REFRESH_COOLDOWN = 1_000;

export interface SigningKeyPair {
  readonly kid: string;
  readonly algorithm: SigningAlgorithm;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** A key set as RFC 7517 §5 shows it: public members only. */
export interface JsonWebKeySet {
  readonly keys: readonly Readonly<Record<string, string>>[];
}

/** The keys in the database cannot be opened with the secrets we have. The message is for a terminal. */
export class SecretsDoNotFit extends Error {}

/** A key in the database is too weak for its algorithm, or of another kind. The message is for a terminal. */
export class UnfitSigningKey extends Error {}

interface KeyRow {
  kid: string;
  algorithm: SigningAlgorithm;
  state: string;
  public_jwk: Record<string, string>;
  private_key: Uint8Array;
}

/**
 * The keys that sign access tokens, shared by all nodes through the database. Each serves exactly one algorithm
 * (RFC 8725 §3.1), so that a token cannot choose how it is verified.
 */
@Injectable()
export class SigningKeys implements OnModuleInit {
  private keys: ReadonlyMap<string, SigningKeyPair> = new Map();
  private published: JsonWebKeySet = { keys: [] };
  private currentKid: string | null = null;
  /** By the monotonic clock: a step of the system's clock must not blind this node to new keys. */
  private refreshedAt = Number.NEGATIVE_INFINITY;
  private refreshing: Promise<void> = Promise.resolve();
  /** Keys that were reported as unusable. */
  private readonly skipped = new Set<string>();

  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
    @Inject(LOGGER) private readonly logger: Logger,
  ) {}

  /** @throws SecretsDoNotFit, UnfitSigningKey */
  async onModuleInit(): Promise<void> {
    await this.load(refuse);
    if (this.currentKid !== null) return;
    await this.generate();
    await this.load(refuse);
  }

  get isReady(): boolean {
    return this.currentKid !== null;
  }

  /** The key that signs now. */
  current(): SigningKeyPair {
    const key = this.currentKid === null ? undefined : this.keys.get(this.currentKid);
    if (!key) throw new Error('signing keys are used before they are loaded');
    return key;
  }

  /** The key with this id; null if there is none. Another node may have made it a moment ago, so it looks again. */
  async find(kid: string): Promise<SigningKeyPair | null> {
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

  /** Reads the keys again unless that was a moment ago. Whoever comes meanwhile waits for the same answer. */
  private refresh(): Promise<void> {
    const now = performance.now();
    if (now - this.refreshedAt >= REFRESH_COOLDOWN) {
      this.refreshedAt = now;
      this.refreshing = this.load((error, kid) => this.skip(error, kid));
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

  private async load(unusable: (error: Error, kid: string) => void): Promise<void> {
    const rows = await this.database.query(
      sql<KeyRow>`select kid, algorithm, state, public_jwk, private_key from signing_keys where state <> 'retired' order by created_at desc`,
    );
    const keys = new Map<string, SigningKeyPair>();
    for (const row of rows) {
      try {
        keys.set(row.kid, this.open(row));
      } catch (error) {
        if (!(error instanceof SecretsDoNotFit) && !(error instanceof UnfitSigningKey)) throw error;
        unusable(error, row.kid);
      }
    }
    this.keys = keys;
    this.published = { keys: rows.map((row) => row.public_jwk) };
    const current = rows.filter(({ state }) => state === 'current').map(({ kid }) => keys.get(kid));
    this.currentKid = current.find((key) => key?.algorithm === this.config.JWT_ALGORITHM)?.kid ?? null;
  }

  private open(row: KeyRow): SigningKeyPair {
    const der = unseal(
      this.config.AUTH_SECRETS,
      'signing-key-encryption',
      row.kid,
      Buffer.from(row.private_key),
    );
    if (!der) {
      throw new SecretsDoNotFit(
        'AUTH_SECRETS: none of the secrets opens the signing keys in the database; add the secret they were made under to the end of the list',
      );
    }
    const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    if (!isFit(row.algorithm, privateKey)) {
      throw new UnfitSigningKey(
        `the signing key ${row.kid} in the database is not fit for ${row.algorithm}: ES256 takes P-256, PS256 and RS256 take RSA of ${RSA_BITS_MIN} bits or more; delete it`,
      );
    }
    return { kid: row.kid, algorithm: row.algorithm, privateKey, publicKey: createPublicKey(privateKey) };
  }

  /** Makes a key for the configured algorithm. Of several nodes that do so at once, the database takes one's. */
  private async generate(): Promise<void> {
    const algorithm = this.config.JWT_ALGORITHM;
    const { publicKey, privateKey } =
      algorithm === 'ES256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: RSA_BITS });
    const kid = uuidv7();
    const jwk: JsonWebKey = { ...publicKey.export({ format: 'jwk' }), kid, alg: algorithm, use: 'sig' };
    const der = privateKey.export({ format: 'der', type: 'pkcs8' });
    const sealed = seal(this.config.AUTH_SECRETS, 'signing-key-encryption', kid, der);
    await this.database.query(
      sql`insert into signing_keys (kid, algorithm, state, public_jwk, private_key)
          values (${kid}, ${algorithm}, 'current', ${JSON.stringify(jwk)}::jsonb, ${sealed})
          on conflict do nothing`,
    );
  }
}

/** A start fails on a key that it cannot use: it would refuse tokens that other nodes take. */
function refuse(error: Error): never {
  throw error;
}

/** RFC 8725 §3.2, §3.5: the kind, curve and size that an algorithm demands. */
function isFit(algorithm: SigningAlgorithm, key: KeyObject): boolean {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = key;
  switch (algorithm) {
    case 'ES256':
      return type === 'ec' && details.namedCurve === 'prime256v1';
    case 'PS256':
    case 'RS256':
      return type === 'rsa' && (details.modulusLength ?? 0) >= RSA_BITS_MIN;
    default:
      // The column is text: it may hold what no version of ours wrote.
      return false;
  }
}
