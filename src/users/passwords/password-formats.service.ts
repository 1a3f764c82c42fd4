import { Injectable } from '@nestjs/common';
import { sql } from 'kysely';
import { Database, type Queries } from '../../platform/database/database.js';
import type { UsersTables } from '../users.tables.js';
import type { PasswordHash } from './formats/hash-format.js';
import { readPasswordHash } from './formats/password-hash.js';

/** Milliseconds for which the list is cached. */
const FRESH = 5_000;

/** The data that `password_formats` stores of a hash: enough to compute the slowest cost, and no personal data. */
type Kind = Pick<PasswordHash, 'pattern' | 'sample' | 'work'>;

/** Formats and parameters of stored hashes: a node records its own, an import those of its file. */
@Injectable()
export class PasswordFormats {
  private known: { readonly at: number; readonly hashes: readonly PasswordHash[] } | null = null;

  constructor(private readonly database: Database) {}

  /** Records kinds of hashes, in the transaction that stores the first ones. */
  async note(hashes: readonly Kind[], queries: Queries = this.database): Promise<void> {
    const dearest = new Map<string, Kind>();
    for (const hash of hashes) {
      if (hash.work > (dearest.get(hash.pattern)?.work ?? 0)) dearest.set(hash.pattern, hash);
    }
    // Insert in one order to avoid deadlocks between imports.
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

  /** Records a kind that was found and is not listed. */
  async ensure(hash: PasswordHash): Promise<void> {
    const listed = await this.list();
    if (!listed.some(({ pattern }) => pattern === hash.pattern)) await this.note([hash]);
  }

  /** The most expensive hash of each stored kind, at most five seconds old. */
  async list(): Promise<readonly PasswordHash[]> {
    if (this.known && performance.now() - this.known.at < FRESH) return this.known.hashes;
    const at = performance.now();
    const rows = await this.database
      .of<UsersTables>()
      .selectFrom('password_formats')
      .select('sample')
      .execute();
    const hashes = rows
      .map(({ sample }) => readPasswordHash(sample))
      .filter((hash) => typeof hash === 'object');
    this.known = { at, hashes };
    return hashes;
  }

  /**
   * Deletes kinds that no account has any more. Reads all accounts. Kinds recorded within the last hour stay: their
   * accounts may be about to be stored.
   */
  async purge(): Promise<void> {
    await this.database.query(
      sql`delete from password_formats where seen_at < now() - interval '1 hour'
          and not exists (select 1 from users where password_hash like password_formats.format)`,
    );
    this.known = null;
  }
}
