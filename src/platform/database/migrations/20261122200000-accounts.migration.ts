import { Migration } from '@mikro-orm/migrations';

/** The triggers that this migration made: never to be changed. */
const ACCOUNT_TRIGGERS = {
  userChanged: `create trigger "users_change_is_noted" after update on "users" for each row when (
        old.email is distinct from new.email or old.role is distinct from new.role or old.disabled_at is distinct from new.disabled_at)
        execute function "note_user_change"()`,
  auditKept: `create trigger "audit_events_are_kept" before update or delete on "audit_events" for each row execute function "keep_audit_events"()`,
  auditNotTruncated: `create trigger "audit_events_are_not_truncated" before truncate on "audit_events" for each statement execute function "keep_audit_events"()`,
};

/** The whole life of an account: verification, recovery, second factors, lockout, mail and the audit trail. */
export class AccountsMigration extends Migration {
  override up(): void {
    this.addSql(
      `alter table "users" alter column "password_hash" drop not null, add column "name" text null, add column "email_verified_at" timestamptz null, add column "role" text not null default 'user', add column "disabled_at" timestamptz null, add column "password_compromised_at" timestamptz null, add column "webauthn_handle" bytea null, add constraint "users_webauthn_handle_key" unique ("webauthn_handle"), add constraint "users_role" check (role = any (array['user'::text, 'admin'::text])), add constraint "users_name_check" check (char_length(name) <= 100), add constraint "users_webauthn_handle_is_64_bytes" check (length(webauthn_handle) = 64)`,
    );
    // What is remembered of a session says whose it is: nodes forget it, and nothing dies.
    this.addSql(
      `create function "note_user_change"() returns trigger language plpgsql as $$ begin
        insert into revocations (kind, user_id, expires_at) values ('credential', new.id, now() + interval '1 hour');
        return null; end $$`,
    );
    this.addSql(ACCOUNT_TRIGGERS.userChanged);
    this.addSql(
      `create index "users_email_canonical_prefix_index" on "users" ("email_canonical" text_pattern_ops)`,
    );
    this.addSql(
      `create table "one_time_tokens" ("token_hash" bytea not null, "purpose" text not null, "user_id" uuid not null, "email" text not null, "password_hash" text null, "session_id" uuid null, "created_at" timestamptz not null default now(), "expires_at" timestamptz not null, primary key ("token_hash"), constraint "one_time_tokens_user_id_foreign" foreign key ("user_id") references "users" ("id") on delete cascade, constraint "one_time_tokens_purpose" check (purpose = any (array['verify_email'::text, 'change_email'::text, 'reset_password'::text])), constraint "one_time_tokens_hash_is_sha256" check (length(token_hash) = 32))`,
    );
    this.addSql(
      `create index "one_time_tokens_user_id_purpose_index" on "one_time_tokens" ("user_id", "purpose")`,
    );
    this.addSql(`create index "one_time_tokens_expires_at_index" on "one_time_tokens" ("expires_at")`);
    this.addSql(
      `create table "outbox_mails" ("id" uuid not null, "kind" text not null, "user_id" uuid null, "recipient" text null, "params" jsonb not null default '{}', "nonce" bytea not null, "state" text not null default 'waiting', "attempts" int not null default 0, "next_attempt_at" timestamptz not null default now(), "expires_at" timestamptz not null, "created_at" timestamptz not null default now(), "finished_at" timestamptz null, "last_error" text null, "rendered" bytea null, primary key ("id"), constraint "outbox_mails_state" check (state = any (array['waiting'::text, 'sent'::text, 'dropped'::text, 'shown'::text])), constraint "outbox_mails_nonce_is_32_bytes" check (length(nonce) = 32))`,
    );
    this.addSql(
      `create index "outbox_mails_waiting_index" on "outbox_mails" ("next_attempt_at") where state = 'waiting'`,
    );
    this.addSql(
      `create index "outbox_mails_user_id_created_at_index" on "outbox_mails" ("user_id", "created_at")`,
    );
    this.addSql(
      `create index "outbox_mails_recipient_created_at_index" on "outbox_mails" ("recipient", "created_at")`,
    );
    this.addSql(`create index "outbox_mails_created_at_index" on "outbox_mails" ("created_at")`);
    this.addSql(
      `create table "mfa_challenges" ("token_hash" bytea not null, "user_id" uuid not null, "password_hash" text null, "methods" text[] not null, "transport" text not null, "attempts" int not null default 0, "created_at" timestamptz not null default now(), "expires_at" timestamptz not null, primary key ("token_hash"), constraint "mfa_challenges_user_id_foreign" foreign key ("user_id") references "users" ("id") on delete cascade, constraint "mfa_challenges_hash_is_sha256" check (length(token_hash) = 32))`,
    );
    this.addSql(`create index "mfa_challenges_user_id_index" on "mfa_challenges" ("user_id")`);
    this.addSql(`create index "mfa_challenges_expires_at_index" on "mfa_challenges" ("expires_at")`);
    this.addSql(
      `create table "passkeys" ("id" uuid not null, "user_id" uuid not null, "name" text not null, "credential_id" bytea not null, "public_key" bytea not null, "sign_count" bigint not null default 0, "transports" text[] not null, "is_backup_eligible" boolean not null, "is_backed_up" boolean not null, "aaguid" text not null, "created_at" timestamptz not null default now(), "last_used_at" timestamptz null, primary key ("id"), constraint "passkeys_user_id_foreign" foreign key ("user_id") references "users" ("id") on delete cascade, constraint "passkeys_credential_id_key" unique ("credential_id"), constraint "passkeys_credential_id_length" check (length(credential_id) >= 1 and length(credential_id) <= 1023), constraint "passkeys_name_length" check (char_length(name) >= 1 and char_length(name) <= 100))`,
    );
    this.addSql(`create index "passkeys_user_id_index" on "passkeys" ("user_id")`);
    this.addSql(
      `create table "webauthn_challenges" ("challenge" bytea not null, "ceremony" text not null, "user_id" uuid null, "session_id" uuid null, "mfa_token_hash" bytea null, "created_at" timestamptz not null default now(), "expires_at" timestamptz not null, primary key ("challenge"), constraint "webauthn_challenges_user_id_foreign" foreign key ("user_id") references "users" ("id") on delete cascade, constraint "webauthn_challenges_ceremony" check (ceremony = any (array['registration'::text, 'authentication'::text])), constraint "webauthn_challenges_challenge_is_32_bytes" check (length(challenge) = 32))`,
    );
    this.addSql(`create index "webauthn_challenges_user_id_index" on "webauthn_challenges" ("user_id")`);
    this.addSql(
      `create index "webauthn_challenges_expires_at_index" on "webauthn_challenges" ("expires_at")`,
    );
    this.addSql(
      `create table "totp_authenticators" ("user_id" uuid not null, "seed" bytea null, "pending_seed" bytea null, "pending_at" timestamptz null, "confirmed_at" timestamptz null, "last_step" bigint not null default 0, "created_at" timestamptz not null default now(), primary key ("user_id"), constraint "totp_authenticators_user_id_foreign" foreign key ("user_id") references "users" ("id") on update cascade on delete cascade, constraint "totp_authenticators_confirmed_with_seed" check ((seed is null) = (confirmed_at is null)), constraint "totp_authenticators_pending_since" check ((pending_seed is null) = (pending_at is null)))`,
    );
    this.addSql(
      `create table "recovery_codes" ("code_hash" bytea not null, "user_id" uuid not null, "created_at" timestamptz not null default now(), primary key ("code_hash"), constraint "recovery_codes_user_id_foreign" foreign key ("user_id") references "users" ("id") on delete cascade, constraint "recovery_codes_hash_is_sha256" check (length(code_hash) = 32))`,
    );
    this.addSql(`create index "recovery_codes_user_id_index" on "recovery_codes" ("user_id")`);
    this.addSql(
      `create table "guess_counters" ("authenticator" text not null, "subject" bytea not null, "network" text not null, "is_account" boolean not null, "failures" int not null, "locked_until" timestamptz null, "updated_at" timestamptz not null default now(), primary key ("authenticator", "subject", "network"), constraint "guess_counters_subject_is_sha256" check (length(subject) = 32))`,
    );
    this.addSql(
      `create index "guess_counters_passing_index" on "guess_counters" ("updated_at") where network <> '' or not is_account`,
    );
    this.addSql(
      `create table "known_devices" ("user_id" uuid not null, "network" text not null, "agent_hash" bytea not null, "first_seen_at" timestamptz not null default now(), "last_seen_at" timestamptz not null default now(), primary key ("user_id", "network", "agent_hash"), constraint "known_devices_user_id_foreign" foreign key ("user_id") references "users" ("id") on delete cascade, constraint "known_devices_agent_hash_is_sha256" check (length(agent_hash) = 32))`,
    );
    this.addSql(
      `create table "audit_events" ("id" uuid not null, "kind" text not null, "at" timestamptz not null default now(), "user_id" uuid null, "actor" text not null, "session_id" uuid null, "ip" text null, "user_agent" text null, "request_id" text null, "details" jsonb not null default '{}', "xact" bigint not null default ((pg_current_xact_id())::text)::bigint, "seq" bigint null, "hash" bytea null, primary key ("id"), constraint "audit_events_seq_key" unique ("seq"), constraint "audit_events_sealed_with_hash" check ((seq is null) = (hash is null)), constraint "audit_events_hash_is_sha256" check (length(hash) = 32))`,
    );
    this.addSql(
      `create index "audit_events_unsealed_index" on "audit_events" ("xact", "id") where seq is null`,
    );
    this.addSql(`create index "audit_events_user_id_at_index" on "audit_events" ("user_id", "at", "id")`);
    this.addSql(`create index "audit_events_at_index" on "audit_events" ("at", "id")`);
    this.addSql(
      `create table "audit_chain" ("one" int not null, "key" bytea not null, "first_seq" bigint not null, "first_hash" bytea not null, "head_seq" bigint not null, "head_hash" bytea not null, "updated_at" timestamptz not null default now(), primary key ("one"), constraint "audit_chain_is_one" check (one = 1))`,
    );
    this.addSql(
      `create table "audit_counters" ("kind" text not null, "subject" text not null, "began_at" timestamptz not null, "count" int not null, primary key ("kind", "subject"))`,
    );
    this.addSql(`create index "audit_counters_began_at_index" on "audit_counters" ("began_at")`);
    // Rows are only ever added and sealed; those whose time is over go while the setting says so in that transaction.
    this.addSql(
      `create function "keep_audit_events"() returns trigger language plpgsql as $$ begin
        if tg_op = 'UPDATE' and old.seq is null and new.seq is not null
          and to_jsonb(new) - array['seq', 'hash'] = to_jsonb(old) - array['seq', 'hash'] then
          return new;
        elsif tg_op = 'DELETE' and old.seq is not null and current_setting('traffy.audit_retention', true) = 'on' then
          return old;
        end if;
        raise exception 'audit events are only added' using errcode = 'integrity_constraint_violation'; end $$`,
    );
    this.addSql(ACCOUNT_TRIGGERS.auditKept);
    this.addSql(ACCOUNT_TRIGGERS.auditNotTruncated);
    this.addSql(
      `create table "password_formats" ("format" text not null, "sample" text not null, "work" bigint not null, "seen_at" timestamptz not null default now(), primary key ("format"))`,
    );
    // Accounts that are there already may have hashes of other parameters than today's.
    this.addSql(
      `insert into "password_formats" ("format", "sample", "work")
        select distinct on (head) head || '%', head || repeat('A', 22) || '$' || repeat('A', 43),
          substring(head from 'm=([0-9]+)')::bigint * substring(head from 't=([0-9]+)')::bigint
        from (select substring("password_hash" from '^[$]argon2id[$]v=19[$][mtp0-9=,]+[$]') as head from "users") as kinds
        where head is not null`,
    );
    this.addSql(
      `create table "imports" ("id" uuid not null, "file_hash" bytea not null, "lines_done" bigint not null default 0, "created_at" timestamptz not null default now(), "updated_at" timestamptz not null default now(), "finished_at" timestamptz null, primary key ("id"), constraint "imports_file_hash_key" unique ("file_hash"))`,
    );
  }

  override down(): void {
    throw new Error('Migrations only go forward: restore a backup to go back.');
  }
}
