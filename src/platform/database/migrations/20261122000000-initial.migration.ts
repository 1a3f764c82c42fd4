import { Migration } from '@mikro-orm/migrations';

/** People, sessions, refresh tokens and signing keys. */
export class InitialMigration extends Migration {
  override up(): void {
    this.addSql(
      `create table "users" ("id" uuid not null, "email" text not null, "email_canonical" text not null, "password_hash" text not null, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), primary key ("id"), constraint "users_email_canonical_key" unique ("email_canonical"), constraint "users_email_check" check (char_length(email) >= 3 and char_length(email) <= 320))`,
    );
    this.addSql(
      `create table "sessions" ("id" uuid not null, "user_id" uuid not null, "strategy" text not null, "secret_hash" bytea null, "created_at" timestamptz not null default now(), "authenticated_at" timestamptz not null default now(), "methods" text[] not null, "last_used_at" timestamptz not null default now(), "expires_at" timestamptz not null, "revoked_at" timestamptz null, "revoked_reason" text null, "ip" text null, "user_agent" text null, primary key ("id"), constraint "sessions_user_id_foreign" foreign key ("user_id") references "users" ("id") on delete cascade, constraint "sessions_secret_hash_key" unique ("secret_hash"), constraint "sessions_expires_after_creation" check (expires_at > created_at), constraint "sessions_revoked_with_reason" check ((revoked_at is null) = (revoked_reason is null)), constraint "sessions_secret_hash_is_sha256" check (length(secret_hash) = 32))`,
    );
    this.addSql(`create index "sessions_user_id_created_at_index" on "sessions" ("user_id", "created_at")`);
    this.addSql(`create index "sessions_expires_at_index" on "sessions" ("expires_at")`);
    this.addSql(
      `create table "refresh_tokens" ("token_hash" bytea not null, "session_id" uuid not null, "parent_hash" bytea null, "attempt" int not null default 0, "issued_at" timestamptz not null default now(), "redeemed_at" timestamptz null, "superseded_at" timestamptz null, primary key ("token_hash"), constraint "refresh_tokens_session_id_foreign" foreign key ("session_id") references "sessions" ("id") on delete cascade, constraint "refresh_tokens_parent_hash_attempt_key" unique ("parent_hash", "attempt"), constraint "refresh_tokens_hash_is_sha256" check (length(token_hash) = 32))`,
    );
    this.addSql(`create index "refresh_tokens_session_id_index" on "refresh_tokens" ("session_id")`);
    this.addSql(
      `create unique index "refresh_tokens_one_head" on "refresh_tokens" ("session_id") where redeemed_at is null and superseded_at is null`,
    );
    this.addSql(
      `create table "signing_keys" ("kid" text not null, "algorithm" text not null, "state" text not null, "public_jwk" jsonb not null, "private_key" bytea not null, "created_at" timestamptz not null default now(), primary key ("kid"), constraint "signing_keys_state" check (state = any (array['next'::text, 'current'::text, 'previous'::text, 'retired'::text])))`,
    );
    this.addSql(
      `create unique index "signing_keys_one_current" on "signing_keys" ("algorithm") where state = 'current'`,
    );
  }

  override down(): void {
    throw new Error('Migrations only go forward: restore a backup to go back.');
  }
}
