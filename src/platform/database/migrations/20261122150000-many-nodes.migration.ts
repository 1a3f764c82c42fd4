import { Migration } from '@mikro-orm/migrations';

/** The triggers by which revocations are noted and told, as this migration made them: never to be changed. */
const TRIGGERS = {
  told: `create trigger "revocations_are_told" after insert on "revocations" for each statement execute function "tell_revocations"()`,
  updated: `create trigger "sessions_revocation_is_noted" after update on "sessions" for each row when (
        old.revoked_at is distinct from new.revoked_at or old.expires_at > new.expires_at or old.last_used_at > new.last_used_at
        or (old.secret_hash is not null and old.secret_hash is distinct from new.secret_hash)
        or old.authenticated_at is distinct from new.authenticated_at or old.methods is distinct from new.methods
        or (old.exchange_hash is not null and old.exchange_hash is distinct from new.exchange_hash)
        or old.exchange_to is distinct from new.exchange_to or old.tokens_valid_from is distinct from new.tokens_valid_from)
        execute function "note_revocation"()`,
  deleted: `create trigger "sessions_deletion_is_noted" after delete on "sessions" for each row
        when (old.revoked_at is null and old.expires_at > now()) execute function "note_revocation"()`,
};

/**
 * What many nodes and other services need: revocations that travel, nodes that say what they run, clients that may
 * introspect, the life of signing keys, and exchange of one kind of credential for another.
 */
export class ManyNodesMigration extends Migration {
  override up(): void {
    this.addSql(
      `alter table "sessions" add column "access_expires_at" timestamptz null, add column "tokens_valid_from" timestamptz null, add column "exchange_to" text null, add column "exchange_nonce" bytea null, add column "exchange_began_at" timestamptz null, add column "exchange_hash" bytea null, add constraint "sessions_exchange_with_nonce" check ((exchange_to is null) = (exchange_nonce is null)), add constraint "sessions_exchange_hash_is_sha256" check (length(exchange_hash) = 32), add constraint "sessions_exchange_hash_within_exchange" check ((exchange_hash is null) or (exchange_to is not null))`,
    );
    this.addSql(
      `create unique index "sessions_exchange_hash_key" on "sessions" ("exchange_hash") where exchange_hash is not null`,
    );
    this.addSql(
      `create table "revocations" ("seq" bigserial primary key, "xact" bigint not null default ((pg_current_xact_id())::text)::bigint, "kind" text not null, "session_id" uuid null, "user_id" uuid null, "issued_before" timestamptz null, "tokens_expire_at" timestamptz null, "created_at" timestamptz not null default now(), "expires_at" timestamptz not null, constraint "revocations_kind" check (kind = any (array['session'::text, 'credential'::text, 'user'::text, 'all'::text, 'key'::text])))`,
    );
    this.addSql(`create index "revocations_xact_index" on "revocations" ("xact")`);
    this.addSql(`create index "revocations_expires_at_index" on "revocations" ("expires_at")`);
    this.addSql(
      `create index "revocations_cut_off_index" on "revocations" ("user_id") where kind = any (array['user'::text, 'all'::text])`,
    );
    this.addSql(
      `create function "tell_revocations"() returns trigger language plpgsql as $$ begin perform pg_notify('traffy_revocations', ''); return null; end $$`,
    );
    this.addSql(TRIGGERS.told);
    this.addSql(
      `create function "note_revocation"() returns trigger language plpgsql as $$ begin
        if tg_op = 'DELETE' then
          insert into revocations (kind, session_id, user_id, tokens_expire_at, expires_at)
            values ('session', old.id, old.user_id, old.access_expires_at, greatest(now() + interval '1 hour', old.access_expires_at + interval '5 minutes'));
        elsif new.revoked_at is not null and old.revoked_at is null then
          insert into revocations (kind, session_id, user_id, tokens_expire_at, expires_at)
            values ('session', new.id, new.user_id, new.access_expires_at, greatest(now() + interval '1 hour', new.access_expires_at + interval '5 minutes'));
        else
          insert into revocations (kind, session_id, user_id, issued_before, tokens_expire_at, expires_at)
            values ('credential', new.id, new.user_id,
              case when new.tokens_valid_from is distinct from old.tokens_valid_from then new.tokens_valid_from end,
              new.access_expires_at, greatest(now() + interval '1 hour', new.access_expires_at + interval '5 minutes'));
        end if;
        return null; end $$`,
    );
    this.addSql(
      `create function "note_truncation"() returns trigger language plpgsql as $$ begin
        insert into revocations (kind, issued_before, tokens_expire_at, expires_at)
          values ('all', now(), now() + interval '25 hours', now() + interval '401 days');
        return null; end $$`,
    );
    this.addSql(
      `create trigger "sessions_truncation_is_noted" after truncate on "sessions" for each statement execute function "note_truncation"()`,
    );
    this.addSql(TRIGGERS.updated);
    this.addSql(TRIGGERS.deleted);
    this.addSql(
      `alter table "signing_keys" add column "promoted_at" timestamptz null, add column "demoted_at" timestamptz null, add column "tokens_expire_at" timestamptz null, add column "retired_at" timestamptz null, add column "revoked_at" timestamptz null`,
    );
    this.addSql(
      `update "signing_keys" set promoted_at = created_at where state = any (array['current'::text, 'previous'::text])`,
    );
    this.addSql(
      `create unique index "signing_keys_one_next" on "signing_keys" ("algorithm") where state = 'next'`,
    );
    this.addSql(
      `create table "nodes" ("id" uuid not null, "strategy" text not null, "public_url" text not null, "audience" text not null, "host" text not null, "port" int null, "pid" int not null, "version" text not null, "started_at" timestamptz not null default now(), "seen_at" timestamptz not null default now(), primary key ("id"))`,
    );
    this.addSql(
      `create table "service_clients" ("id" uuid not null, "name" text not null, "secret_hash" bytea not null, "permissions" text[] not null, "created_at" timestamptz not null default now(), primary key ("id"), constraint "service_clients_name_key" unique ("name"), constraint "service_clients_secret_hash_is_sha256" check (length(secret_hash) = 32))`,
    );
  }

  override down(): void {
    throw new Error('Migrations only go forward: restore a backup to go back.');
  }
}
