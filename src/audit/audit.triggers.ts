/* The triggers as the database has them. A change also needs a migration: migrations keep copies of their own. */

/**
 * Refuses every change of `audit_events`, except that an event is sealed, and that expired ones are deleted in a transaction
 * with the setting `traffy.audit_retention`.
 */
export const AUDIT_FUNCTIONS = {
  keep_audit_events: `create function "keep_audit_events"() returns trigger language plpgsql as $$ begin
        if tg_op = 'UPDATE' and old.seq is null and new.seq is not null
          and to_jsonb(new) - array['seq', 'hash'] = to_jsonb(old) - array['seq', 'hash'] then
          return new;
        elsif tg_op = 'DELETE' and old.seq is not null and current_setting('traffy.audit_retention', true) = 'on' then
          return old;
        end if;
        raise exception 'audit events are only added' using errcode = 'integrity_constraint_violation'; end $$`,
} as const;

/** The triggers on `audit_events`. */
export const AUDIT_TRIGGERS = {
  audit_events_are_kept: `create trigger "audit_events_are_kept" before update or delete on "audit_events" for each row execute function "keep_audit_events"()`,
  audit_events_are_not_truncated: `create trigger "audit_events_are_not_truncated" before truncate on "audit_events" for each statement execute function "keep_audit_events"()`,
} as const;
