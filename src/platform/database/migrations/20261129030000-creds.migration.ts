import { Migration } from '@mikro-orm/migrations';

/** Records which passkeys had their key checked, and what is wrong with the keys that must not sign in. */
export class CredsMigration extends Migration {
  override up(): void {
    this.addSql(
      `alter table "passkeys" add column "key_checked_at" timestamptz null, add column "key_flaw" text null`,
    );
    this.addSql(`create index "passkeys_unchecked_index" on "passkeys" ("id") where key_checked_at is null`);
  }

  override down(): void {
    throw new Error('Migrations only go forward: restore a backup to go back.');
  }
}
