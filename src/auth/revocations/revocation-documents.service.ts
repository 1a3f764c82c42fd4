import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import type { AppConfig } from '../../../config/app.config.js';
import type { AuthConfig } from '../../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../../config/tokens.config.js';
import { Database } from '../../database/database.js';
import { REVOCATIONS_TYPE, type RevocationsPayload } from '../../verify/revocations.gate.js';
import { SigningKeys } from '../keys/signing-keys.service.js';
import { type LiveRevocation, type RevocationSnapshot, RevocationWindow, STEP } from './revocation-window.js';

/** The feed, or what is new in it, signed. */
export interface RevocationDocument {
  /** A compact JWS. */
  readonly jws: string;
  /** Weak: nodes that say the same have the same one, over other signatures. */
  readonly etag: string;
}

/**
 * Seconds that a signed copy may be believed: how long an old one can hide a revocation. Twice the time for which one
 * is handed out, so that whoever polls in time always holds one that is good.
 */
const LIFETIME = 2 * STEP;
/** Cursors that get documents of their own while the same is to be told. Honest services in time share a few. */
const CURSORS_MAX = 64;
/** Entries in all of these documents, at some hundred characters each. Above, too, all is told. */
const ENTRIES_MAX = 100_000;
const CURSOR = /^1\.(0|[1-9]\d{0,18})$/;

/** What is to be told, until something else is. */
interface Edition {
  /** The last look at the database that found this. */
  snapshot: RevocationSnapshot;
  readonly step: number;
  /** Where what comes later begins: after the newest revocation that no other can come before any more. */
  readonly next: bigint;
  /** Where what is new can begin: after a listed revocation. */
  readonly beginnings: ReadonlySet<bigint>;
  /** By where they begin; null for all. */
  readonly documents: Map<bigint | null, Promise<RevocationDocument>>;
  /** In the documents that begin somewhere. */
  entries: number;
}

/** Whether a text is a cursor of this feed. */
export function isCursor(value: string): boolean {
  return readCursor(value) !== null;
}

/**
 * Signs what other services must know of revocations. Neither a statement nor a signature is spent on a request: all
 * who ask within a second share one look at the database, and all who have the same cursor share one document, for as
 * long as nothing else is to be told.
 *
 * A document says which cursor it answers, else what is new since a late one could pass as all. Whoever is in time has
 * the same cursor on every node, because cursors name the newest revocation and not the moment. Made-up cursors, old
 * ones, and more than a bounded number of others are answered with the one document that tells all.
 */
@Injectable()
export class RevocationDocuments {
  private readonly window: RevocationWindow;
  private edition: Edition | null = null;

  constructor(
    database: Database,
    private readonly keys: SigningKeys,
    @Inject(APP_CONFIG) private readonly app: AppConfig,
    @Inject(AUTH_CONFIG) { JWKS_MAX_AGE }: AuthConfig,
  ) {
    this.window = new RevocationWindow(database, JWKS_MAX_AGE);
  }

  /**
   * What became revoked since the document that a cursor is from, or all, which answers every cursor.
   *
   * @param cursor null for all. One from another database, as after a restore, counts as none.
   * @throws if the database does not answer.
   */
  async since(cursor: string | null): Promise<RevocationDocument> {
    const edition = this.editionOf(await this.window.read());
    const from = cursor === null ? null : readCursor(cursor);
    const known = edition.documents.get(from);
    if (known) return known;
    return (from === null ? null : this.news(from, edition)) ?? this.all(edition);
  }

  private editionOf(snapshot: RevocationSnapshot): Edition {
    const { edition } = this;
    if (edition?.snapshot === snapshot) return edition;
    const { now, oldest, revocations } = snapshot;
    const step = Math.floor(now / STEP);
    const beginnings = new Set<bigint>();
    let next = 0n;
    for (const { xact } of revocations) {
      if (xact >= oldest) continue;
      beginnings.add(xact + 1n);
      if (xact >= next) next = xact + 1n;
    }
    if (edition?.snapshot.revocations === revocations && edition.step === step && edition.next === next) {
      edition.snapshot = snapshot;
      return edition;
    }
    this.edition = { snapshot, step, next, beginnings, documents: new Map(), entries: 0 };
    return this.edition;
  }

  /** What is new; null if that is not worth a document of its own. */
  private news(from: bigint, edition: Edition): Promise<RevocationDocument> | null {
    if (!edition.beginnings.has(from) || edition.documents.size > CURSORS_MAX) return null;
    const listed = edition.snapshot.revocations.filter(({ xact, entry }) => xact >= from || 'keys' in entry);
    if (edition.entries + listed.length > ENTRIES_MAX) return null;
    edition.entries += listed.length;
    return this.publish(from, listed, edition);
  }

  private all(edition: Edition): Promise<RevocationDocument> {
    return edition.documents.get(null) ?? this.publish(null, edition.snapshot.revocations, edition);
  }

  private publish(
    from: bigint | null,
    listed: readonly LiveRevocation[],
    { snapshot: { now, cutOff }, step, next, documents }: Edition,
  ): Promise<RevocationDocument> {
    const document = this.sign(now, step, {
      since: from === null ? null : writeCursor(from),
      cursor: writeCursor(next),
      entries: [...(cutOff ? [cutOff] : []), ...listed.map(({ entry }) => entry)],
    });
    documents.set(from, document);
    document.catch(() => documents.delete(from));
    return document;
  }

  private async sign(
    now: number,
    step: number,
    told: Pick<RevocationsPayload, 'since' | 'cursor' | 'entries'>,
  ): Promise<RevocationDocument> {
    const iat = Math.floor(now);
    const payload: RevocationsPayload = {
      iss: this.app.PUBLIC_URL,
      iat,
      exp: iat + LIFETIME,
      ...told,
    };
    // In the moment after a key was revoked it is being asked which one signs now: that is news to be told.
    if (!this.keys.isReady) await this.keys.renew();
    const { kid, algorithm, privateKey } = this.keys.current();
    const jws = await new SignJWT({ ...payload })
      .setProtectedHeader({ alg: algorithm, kid, typ: REVOCATIONS_TYPE })
      .sign(privateKey);
    const digest = createHash('sha256')
      .update(`${step}:${JSON.stringify(told)}`)
      .digest('base64url');
    return { jws, etag: `W/"${digest.slice(0, 22)}"` };
  }
}

function writeCursor(from: bigint): string {
  return Buffer.from(`1.${from}`).toString('base64url');
}

/** The oldest transaction that what comes after a cursor may be from; null if it is no cursor. */
function readCursor(cursor: string): bigint | null {
  const digits = CURSOR.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  if (digits === undefined) return null;
  const from = BigInt(digits);
  // The document names the cursor that it answers: one text for each.
  return writeCursor(from) === cursor ? from : null;
}
