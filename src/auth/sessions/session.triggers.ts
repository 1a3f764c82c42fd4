/** The function that a trigger on `sessions` calls, as the database has it. A change needs a migration as well. */
export const SESSION_FUNCTIONS = {
  /** Stores the hashes of the last eight cookies that were replaced: each still names its session for a sign-out. */
  keep_former_hashes: `create function "keep_former_hashes"() returns trigger language plpgsql as $$ begin
        new.former_hashes := (array(
          select hash from unnest(array[old.secret_hash, old.exchange_hash]) as hash
            where hash is not null and hash is distinct from new.secret_hash and hash is distinct from new.exchange_hash
          ) || new.former_hashes)[1:8];
        return new; end $$`,
} as const;

/**
 * The triggers on `sessions`, as the database has them. Those after a change call functions of `auth/revocation`, so that no way to
 * end a session can omit its revocation. A change needs a migration as well.
 */
export const SESSION_TRIGGERS = {
  sessions_former_hashes_are_kept: `create trigger "sessions_former_hashes_are_kept" before update of secret_hash, exchange_hash on "sessions" for each row
        when (old.secret_hash is distinct from new.secret_hash or old.exchange_hash is distinct from new.exchange_hash)
        execute function "keep_former_hashes"()`,
  sessions_revocation_is_noted: `create trigger "sessions_revocation_is_noted" after update on "sessions" for each row when (
        old.revoked_at is distinct from new.revoked_at or old.expires_at > new.expires_at or old.last_used_at > new.last_used_at
        or (old.secret_hash is not null and old.secret_hash is distinct from new.secret_hash)
        or old.authenticated_at is distinct from new.authenticated_at or old.methods is distinct from new.methods
        or (old.exchange_hash is not null and old.exchange_hash is distinct from new.exchange_hash)
        or old.exchange_to is distinct from new.exchange_to or old.tokens_valid_from is distinct from new.tokens_valid_from)
        execute function "note_revocation"()`,
  sessions_deletion_is_noted: `create trigger "sessions_deletion_is_noted" after delete on "sessions" for each row
        when (old.revoked_at is null and old.expires_at > now()) execute function "note_revocation"()`,
  sessions_truncation_is_noted: `create trigger "sessions_truncation_is_noted" after truncate on "sessions" for each statement execute function "note_truncation"()`,
} as const;
