import { createHash } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { SignJWT } from 'jose';
import type { AppConfig } from '../../config/app.config.js';
import type { AuthConfig } from '../../config/auth.config.js';
import { APP_CONFIG, AUTH_CONFIG } from '../../config/tokens.config.js';
import { Database } from '../platform/database/database.js';
import { REVOCATIONS_TYPE, type RevocationsPayload } from '../verify/revocations.gate.js';
import { SigningKeys } from '../auth/keys/signing-keys.service.js';
import { type LiveRevocation, type RevocationSnapshot, RevocationWindow, STEP } from './revocation-window.js';

/** The feed, or what is new in it, signed. */
export interface RevocationDocument {
  /** A compact JWS. */
  readonly jws: string;
  /** Weak: nodes with the same content have the same ETag over different signatures. */
  readonly etag: string;
}

/**
 * Validity of a signed document in seconds: how long an old copy can hide a revocation. Twice the time for which it
 * is served, so that a timely poller always has a valid one.
 */
const LIFETIME = 2 * STEP;
/** Cursors with documents of their own for one state of the feed. Timely services share a few. */
const CURSORS_MAX = 64;
/** Entries in all of these documents, about a hundred characters each. Beyond it, the full document is served. */
const ENTRIES_MAX = 100_000;
const CURSOR = /^1\.(0|[1-9]\d{0,18})$/;

/** The content of the feed until the next change. */
interface Edition {
  /** The last read of the database that returned this state. */
  snapshot: RevocationSnapshot;
  readonly step: number;
  /** The start of later documents: after the newest revocation that no other can precede any more. */
  readonly next: bigint;
  /** Possible starts of a document: after a listed revocation. */
  readonly beginnings: ReadonlySet<bigint>;
  /** By their start; null for the full document. */
  readonly documents: Map<bigint | null, Promise<RevocationDocument>>;
  /** Entries in the documents that have a start. */
  entries: number;
}

/** Whether a text is a cursor of this feed. */
export function isCursor(value: string): boolean {
  return readCursor(value) !== null;
}

/**
 * Signs the revocation documents for other services. Requests cost neither a statement nor a signature: all requests
 * of one second share a read, and all requests with the same cursor share a document while the state is unchanged.
 *
 * A document names the cursor that it answers, so that a later part cannot pass as the full document. Timely services
 * have the same cursor on every node, because cursors name the newest revocation, not the time. Unknown and old
 * cursors, and more than a bounded number of others, get the full document.
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
   * Returns the revocations since a cursor, or all of them, which answers every cursor.
   *
   * @param cursor null for all. A cursor of another database, as after a restore, counts as null.
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

  /** Returns the document since a cursor; null if the full document must answer. */
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
    content: Pick<RevocationsPayload, 'since' | 'cursor' | 'entries'>,
  ): Promise<RevocationDocument> {
    const iat = Math.floor(now);
    const payload: RevocationsPayload = {
      iss: this.app.PUBLIC_URL,
      iat,
      exp: iat + LIFETIME,
      ...content,
    };
    // Right after a key was revoked, the current key is being determined.
    if (!this.keys.isReady) await this.keys.renew();
    const { kid, algorithm, privateKey } = this.keys.current();
    const jws = await new SignJWT({ ...payload })
      .setProtectedHeader({ alg: algorithm, kid, typ: REVOCATIONS_TYPE })
      .sign(privateKey);
    const digest = createHash('sha256')
      .update(`${step}:${JSON.stringify(content)}`)
      .digest('base64url');
    return { jws, etag: `W/"${digest.slice(0, 22)}"` };
  }
}

function writeCursor(from: bigint): string {
  return Buffer.from(`1.${from}`).toString('base64url');
}

/** Returns the oldest transaction that can follow a cursor; null for an invalid cursor. */
function readCursor(cursor: string): bigint | null {
  const digits = CURSOR.exec(Buffer.from(cursor, 'base64url').toString())?.[1];
  if (digits === undefined) return null;
  const from = BigInt(digits);
  // The document names its cursor, so each cursor must have one spelling.
  return writeCursor(from) === cursor ? from : null;
}
