import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Database, type Queries } from '../../database/database.js';
import type { PasswordHash } from './formats/hash-format.js';
import { readPasswordHash } from './formats/password-hash.js';

/** Milliseconds for which the list is believed. */
const FRESH = 5_000;

/** What `password_formats` keeps of a hash: enough to know what the slowest one costs, and nothing of anybody. */
type Kind = Pick<PasswordHash, 'pattern' | 'sample' | 'work'>;

/** Which formats and parameters stored hashes may have: a node notes its own, an import those that it brings. */
@Injectable()
export class PasswordFormats {
  private known: { readonly at: number; readonly hashes: readonly PasswordHash[] } | null = null;

  constructor(private readonly database: Database) {}

  /** Notes kinds of hashes, in the transaction that stores the first ones. */
  async note(hashes: readonly Kind[], queries: Queries = this.database): Promise<void> {
    const dearest = new Map<string, Kind>();
    for (const hash of hashes) {
      if (hash.work > (dearest.get(hash.pattern)?.work ?? 0)) dearest.set(hash.pattern, hash);
    }
    // In one order, so that two imports never wait for each other crosswise.
    const kinds = [...dearest.values()]
      .map(({ pattern, sample, work }) => ({ pattern, sample, work }))
      .toSorted((a, b) => (a.pattern < b.pattern ? -1 : 1));
    if (kinds.length === 0) return;
    await queries.query(
      sql`insert into password_formats as known (format, sample, work)
          select pattern, sample, work from jsonb_to_recordset(${JSON.stringify(kinds)}::jsonb) as kind (pattern text, sample text, work bigint)
          on conflict (format) do update set seen_at = now(), work = greatest(known.work, excluded.work),
            sample = case when excluded.work > known.work then excluded.sample else known.sample end`,
    );
    this.known = null;
  }

  /** Notes a kind that was met and is not listed, whoever stored it. */
  async ensure(hash: PasswordHash): Promise<void> {
    const listed = await this.list();
    if (!listed.some(({ pattern }) => pattern === hash.pattern)) await this.note([hash]);
  }

  /** A hash of each kind that may be stored, the dearest of its kind: as it was at most five seconds ago. */
  async list(): Promise<readonly PasswordHash[]> {
    if (this.known && performance.now() - this.known.at < FRESH) return this.known.hashes;
    const at = performance.now();
    const rows = await this.database.query(sql<{ sample: string }>`select sample from password_formats`);
    const hashes = rows
      .map(({ sample }) => readPasswordHash(sample))
      .filter((hash) => typeof hash === 'object');
    this.known = { at, hashes };
    return hashes;
  }

  /**
   * Forgets kinds of which no account has a hash any more. It reads every account. What was noted within the last hour
   * stays: its accounts may be about to be stored.
   */
  async sweep(): Promise<void> {
    await this.database.query(
      sql`delete from password_formats where seen_at < now() - interval '1 hour'
          and not exists (select 1 from users where password_hash like password_formats.format)`,
    );
    this.known = null;
  }
}
