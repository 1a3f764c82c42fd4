import { Migration } from '@mikro-orm/migrations';

/**
 * What keeps the cost of a call the same, however many rows there are: sessions that have ended are found and deleted, and
 * are not read again and again until then.
 *
 * Each index locks its table for writing while it is built. `if not exists`, so that it can be built beforehand, with
 * `concurrently`: docs/growth.md.
 */
export class GrowthMigration extends Migration {
  override up(): void {
    this.addSql(
      `create index if not exists "sessions_revoked_at_index" on "sessions" ("revoked_at") where revoked_at is not null`,
    );
    this.addSql(
      `create index if not exists "sessions_not_revoked_index" on "sessions" ("user_id", "created_at") where revoked_at is null`,
    );
  }

  override down(): void {
    throw new Error('Migrations only go forward: restore a backup to go back.');
  }
}
