/**
 * The trigger on `users`, as the database has it. It calls a function of `auth/revocation`. A change needs a migration as
 * well.
 */
export const USER_TRIGGERS = {
  users_change_is_noted: `create trigger "users_change_is_noted" after update on "users" for each row when (
        old.email is distinct from new.email or old.role is distinct from new.role or old.disabled_at is distinct from new.disabled_at)
        execute function "note_user_change"()`,
} as const;
