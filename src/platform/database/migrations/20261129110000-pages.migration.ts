import { Migration } from '@mikro-orm/migrations';

/** Marks registrations that browsers make without a prompt, and adds the language of mails. */
export class PagesMigration extends Migration {
  override up(): void {
    this.addSql(
      `alter table "webauthn_challenges" add column "is_conditional" boolean not null default false`,
    );
    this.addSql(`alter table "passkeys" add column "is_conditional" boolean not null default false`);
    this.addSql(`alter table "users" add column "language" text null`);
    this.addSql(`alter table "users" add constraint "users_language" check (language ~ '^[a-z]{2}$')`);
  }

  override down(): void {
    throw new Error('Migrations only go forward: restore a backup to go back.');
  }
}
