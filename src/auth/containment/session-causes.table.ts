import {
  ALL_SESSIONS,
  AS_SESSIONS,
  type ContainmentRow,
  NOT_RENEWED,
  SAME_MAILBOX,
  SAME_PASSWORD,
  STILL_GUESSED,
} from './cells.js';

/** Sessions of an account end; nothing else of the account changes. */
export const SIGN_OUT_CAUSES = {
  other_sessions_ended: {
    when: 'A signed-in user signs out of all other devices, alone or with a change of factors.',
    reasons: ['logout_others', 'factors_changed'],
    ends: {
      sessions: ['others', 'The user asked for it.'],
      half_sign_ins: ['all', 'A sign-in elsewhere that is half done is one of the others.'],
      mailed_tokens: ['none', SAME_MAILBOX],
      address_changes: ['others', 'One of the other devices may have requested them.'],
      pending_exchanges: ['none', NOT_RENEWED],
      guess_counters: ['none', STILL_GUESSED],
      remembered_credentials: ['others', AS_SESSIONS],
    },
  },
  all_sessions_ended: {
    when: 'A user, an administrator or an operator signs an account out everywhere.',
    reasons: ['logout_global', 'ended_by_admin', 'ended_by_operator'],
    ends: {
      sessions: ['all', 'That is what was asked for.'],
      half_sign_ins: ['all', 'A sign-in that is half done would be a session a moment later.'],
      mailed_tokens: ['none', SAME_MAILBOX],
      address_changes: ['all', 'One of the ended sessions may have requested them.'],
      pending_exchanges: ['none', ALL_SESSIONS],
      guess_counters: ['none', STILL_GUESSED],
      remembered_credentials: ['all', AS_SESSIONS],
    },
  },
} as const satisfies Record<string, ContainmentRow>;

/** Individual sessions end, of any account. */
export const SESSION_CAUSES = {
  signed_out: {
    when: 'A client ends the session it holds: sign-out, a sign-in in its place, or one session too many.',
    reasons: ['logout', 'replaced', 'limit'],
    ends: {
      sessions: ['own', 'Its holder ends it, or does without it.'],
      half_sign_ins: ['none', SAME_PASSWORD],
      mailed_tokens: ['none', SAME_MAILBOX],
      address_changes: ['none', 'Its holder requested the change, and may open the link after signing out.'],
      pending_exchanges: ['none', 'The session that ends takes its exchange with it.'],
      guess_counters: ['none', STILL_GUESSED],
      remembered_credentials: ['own', AS_SESSIONS],
    },
  },
  one_session_ended: {
    when: 'A session is ended from outside: another device of the user, an administrator, an operator, a service.',
    reasons: ['device_removed', 'ended_by_admin', 'revoked_by_service', 'ended_by_operator'],
    ends: {
      sessions: ['own', 'That one was named.'],
      half_sign_ins: ['none', SAME_PASSWORD],
      mailed_tokens: ['none', SAME_MAILBOX],
      address_changes: ['own', 'The session was not wanted, so neither is what it requested.'],
      pending_exchanges: ['none', 'The session that ends takes its exchange with it.'],
      guess_counters: ['none', STILL_GUESSED],
      remembered_credentials: ['own', AS_SESSIONS],
    },
  },
  refresh_reused: {
    when: 'A refresh token comes back after its use: it was copied.',
    reasons: ['refresh_reused'],
    ends: {
      sessions: ['own', 'Two clients hold its tokens, and one of them is a thief.'],
      half_sign_ins: ['none', SAME_PASSWORD],
      mailed_tokens: ['none', SAME_MAILBOX],
      address_changes: ['own', 'The thief may have requested them.'],
      pending_exchanges: ['none', 'The session that ends takes its exchange with it.'],
      guess_counters: ['none', STILL_GUESSED],
      remembered_credentials: ['own', AS_SESSIONS],
    },
  },
} as const satisfies Record<string, ContainmentRow>;
