/*
 * The trigger functions that write `revocations`, and the triggers on it, as the database has them. A change needs a
 * migration as well: migrations keep copies of their own. `test/triggers.spec.ts` compares.
 */

/** `auth/sessions` and `users` have triggers that call them. */
export const REVOCATION_FUNCTIONS = {
  /** Notifies every node. */
  tell_revocations: `create function "tell_revocations"() returns trigger language plpgsql as $$ begin perform pg_notify('traffy_revocations', ''); return null; end $$`,
  /** For a row of `sessions` that was changed or deleted. */
  note_revocation: `create function "note_revocation"() returns trigger language plpgsql as $$ begin
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
  /** For all of `sessions`. */
  note_truncation: `create function "note_truncation"() returns trigger language plpgsql as $$ begin
        insert into revocations (kind, issued_before, tokens_expire_at, expires_at)
          values ('all', now(), now() + interval '25 hours', now() + interval '401 days');
        return null; end $$`,
  /** For a row of `users`: nodes forget what they cached of the user, and nothing is revoked. */
  note_user_change: `create function "note_user_change"() returns trigger language plpgsql as $$ begin
        insert into revocations (kind, user_id, expires_at) values ('credential', new.id, now() + interval '1 hour');
        return null; end $$`,
} as const;

/** The triggers on `revocations`. */
export const REVOCATION_TRIGGERS = {
  revocations_are_told: `create trigger "revocations_are_told" after insert on "revocations" for each statement execute function "tell_revocations"()`,
} as const;
