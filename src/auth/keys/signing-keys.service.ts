import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
} from 'node:crypto';
import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import type { AuthConfig, SigningAlgorithm } from '../../../config/auth.config.js';
import { AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
import { seal, unseal } from './secrets.js';

/** ASVS 5.0.0 11.2.3. */
const RSA_BITS = 3072;
/** Milliseconds between two looks for a key that a token names and we do not know. */
const UNKNOWN_KEY_COOLDOWN = 5_000;

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
  private loadedAt = 0;

  constructor(
    private readonly database: Database,
    @Inject(AUTH_CONFIG) private readonly config: AuthConfig,
  ) {}

  /** @throws SecretsDoNotFit */
  async onModuleInit(): Promise<void> {
    await this.load();
    if (this.currentKid !== null) return;
    await this.generate();
    await this.load();
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
    if (known || Date.now() - this.loadedAt < UNKNOWN_KEY_COOLDOWN) return known ?? null;
    await this.load();
    return this.keys.get(kid) ?? null;
  }

  /** The public halves, for other services. */
  jwks(): JsonWebKeySet {
    return this.published;
  }

  private async load(): Promise<void> {
    this.loadedAt = Date.now();
    const rows = await this.database.query(
      sql<KeyRow>`select kid, algorithm, state, public_jwk, private_key from signing_keys where state <> 'retired' order by created_at desc`,
    );
    this.keys = new Map(rows.map((row) => [row.kid, this.open(row)]));
    this.published = { keys: rows.map((row) => row.public_jwk) };
    this.currentKid =
      rows.find((row) => row.state === 'current' && row.algorithm === this.config.JWT_ALGORITHM)?.kid ?? null;
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
