import {
  ALL_SESSIONS,
  AS_SESSIONS,
  type ContainmentRow,
  NOT_RENEWED,
  SAME_MAILBOX,
  SAME_PASSWORD,
  STILL_GUESSED,
  STILL_WANTED,
} from './cells.js';

/** Events that concern a whole account, mostly actions of administrators. */
export const ACCOUNT_CAUSES = {
  role_changed: {
    when: 'An administrator gives or takes a role.',
    reasons: [],
    ends: {
      sessions: ['none', 'Every request reads the role of the account.'],
      half_sign_ins: ['none', SAME_PASSWORD],
      mailed_tokens: ['none', SAME_MAILBOX],
      address_changes: ['none', STILL_WANTED],
      pending_exchanges: ['none', NOT_RENEWED],
      guess_counters: ['none', STILL_GUESSED],
      remembered_credentials: ['all', 'Verified sessions carry the role.'],
    },
  },
  account_disabled: {
    when: 'An administrator disables an account.',
    reasons: ['user_disabled'],
    ends: {
      sessions: ['all', 'A disabled account has no users.'],
      half_sign_ins: ['all', 'A disabled account has no users.'],
      mailed_tokens: ['all', 'No link from before may open the account after it is enabled again.'],
      address_changes: ['all', 'No link from before may move the account after it is enabled again.'],
      pending_exchanges: ['none', ALL_SESSIONS],
      guess_counters: ['none', STILL_GUESSED],
      remembered_credentials: ['all', AS_SESSIONS],
    },
  },
  account_compromised: {
    when: 'An administrator marks the password as compromised. A mail brings a link to another one.',
    reasons: ['ended_by_admin'],
    ends: {
      sessions: ['all', 'An attacker may have signed in with the password.'],
      half_sign_ins: ['all', 'They began with the compromised password.'],
      mailed_tokens: ['reset_links', 'Only the link that the administrator sends counts.'],
      address_changes: ['all', 'An attacker may have requested them.'],
      pending_exchanges: ['none', ALL_SESSIONS],
      guess_counters: ['all', 'The password opens nothing, so there is nothing left to guess.'],
      remembered_credentials: ['all', AS_SESSIONS],
    },
  },
  account_deleted: {
    when: 'A user deletes the account.',
    reasons: ['user_deleted'],
    ends: {
      sessions: ['all', 'The account is gone.'],
      half_sign_ins: ['all', 'The account is gone.'],
      mailed_tokens: ['all', 'The account is gone.'],
      address_changes: ['all', 'The account is gone.'],
      pending_exchanges: ['none', ALL_SESSIONS],
      guess_counters: ['all', 'The next account with this address must not inherit them.'],
      remembered_credentials: ['all', AS_SESSIONS],
    },
  },
  client_removed: {
    when: 'An operator removes a service client.',
    reasons: [],
    ends: {
      sessions: ['none', 'A service client has no sessions. Those of users are not its own.'],
      half_sign_ins: ['none', 'A service client has no second factor.'],
      mailed_tokens: ['none', 'It gets no mail.'],
      address_changes: ['none', 'It has no address.'],
      pending_exchanges: ['none', 'It has no sessions.'],
      guess_counters: ['none', 'Its secret has 256 random bits, so guesses at it are not counted.'],
      remembered_credentials: [
        'none',
        'Every request of a service client reads its row: it is unknown immediately.',
      ],
    },
  },
} as const satisfies Record<string, ContainmentRow>;
