import { Migration } from '@mikro-orm/migrations';

/**
 * Credentials that were replaced keep naming their session for a sign-out: the last cookies of a session, by a trigger,
 * so that nodes of the previous version store them too; and the refresh tokens that an exchange withdrew.
 */
export class RowsMigration extends Migration {
  override up(): void {
    this.addSql(`alter table "sessions" add column "former_hashes" bytea[] not null default '{}'`);
    this.addSql(
      `create index "sessions_former_hashes_index" on "sessions" using gin ("former_hashes") where former_hashes <> '{}'`,
    );
    this.addSql(`create function "keep_former_hashes"() returns trigger language plpgsql as $$ begin
        new.former_hashes := (array(
          select hash from unnest(array[old.secret_hash, old.exchange_hash]) as hash
            where hash is not null and hash is distinct from new.secret_hash and hash is distinct from new.exchange_hash
          ) || new.former_hashes)[1:8];
        return new; end $$`);
    this
      .addSql(`create trigger "sessions_former_hashes_are_kept" before update of secret_hash, exchange_hash on "sessions" for each row
        when (old.secret_hash is distinct from new.secret_hash or old.exchange_hash is distinct from new.exchange_hash)
        execute function "keep_former_hashes"()`);
    this.addSql(`alter table "refresh_tokens" add column "withdrawn_at" timestamptz null`);
  }

  override down(): void {
    throw new Error('Migrations only go forward: restore a backup to go back.');
  }
}
