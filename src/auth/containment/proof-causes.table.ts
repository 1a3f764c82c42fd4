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

/** Changes of credentials of the account: password, address, factors. */
export const PROOF_CAUSES = {
  password_changed: {
    when: 'A signed-in user changes the password.',
    reasons: ['password_changed'],
    ends: {
      sessions: ['others', 'An attacker may have signed in with the old password.'],
      half_sign_ins: ['all', 'They began with the old password.'],
      mailed_tokens: [
        'reset_links',
        'They would replace the new password. A link that proves the address does not.',
      ],
      address_changes: ['others', 'An attacker may have requested them. The own request is still wanted.'],
      pending_exchanges: [
        'own',
        'The session is renewed: an attacker who requested its next credential gets nothing.',
      ],
      guess_counters: [
        'none',
        'The right password clears those of its own network; the attacker stays locked.',
      ],
      remembered_credentials: ['all', 'The other sessions are dead, and the own credential is another one.'],
    },
  },
  password_reset: {
    when: 'A mailed link sets another password for an account with a proved address.',
    reasons: ['password_reset'],
    ends: {
      sessions: ['all', 'The owner lost the password, or an attacker has it. No session acts here.'],
      half_sign_ins: ['all', 'They began with the old password.'],
      mailed_tokens: ['all', 'An older mail must not replace the new password.'],
      address_changes: ['all', 'An attacker may have requested them.'],
      pending_exchanges: ['none', ALL_SESSIONS],
      guess_counters: [
        'password',
        'The owner must get in. Second factors stay counted: a mailbox must not buy guesses.',
      ],
      remembered_credentials: ['all', AS_SESSIONS],
    },
  },
  address_changed: {
    when: 'A mailed link gives the account another address.',
    reasons: ['email_changed'],
    ends: {
      sessions: [
        'others',
        'The session that requested it proved its user. The others belong to the old address.',
      ],
      half_sign_ins: ['all', 'They began with the old address.'],
      mailed_tokens: ['all', 'They went to the old mailbox.'],
      address_changes: ['all', 'The change is made. Earlier requests are void.'],
      pending_exchanges: [
        'none',
        'The session keeps its credential, so a client that could exchange it still can.',
      ],
      guess_counters: ['all', 'Guesses are counted by address, and the next account may have the old one.'],
      remembered_credentials: ['all', 'Verified sessions carry the address.'],
    },
  },
  address_proved: {
    when: 'A mailed link proves the address of the account, and brings no password.',
    reasons: [],
    ends: {
      sessions: ['none', 'The user who signed up owns the address.'],
      half_sign_ins: ['none', SAME_PASSWORD],
      mailed_tokens: ['verification_links', 'There is nothing left to prove.'],
      address_changes: ['none', STILL_WANTED],
      pending_exchanges: ['none', NOT_RENEWED],
      guess_counters: ['none', STILL_GUESSED],
      remembered_credentials: ['none', 'No verified session says whether the address is proved.'],
    },
  },
  account_claimed: {
    when: 'The owner of an address that was never proved takes the account over, with another password.',
    reasons: ['email_proved', 'password_reset'],
    ends: {
      sessions: ['all', 'An attacker may have made the account and waited (pre-hijacking).'],
      half_sign_ins: ['all', 'They began with the password of the attacker.'],
      mailed_tokens: ['all', 'An attacker may have requested them.'],
      address_changes: ['all', 'An attacker may have requested them.'],
      pending_exchanges: ['none', ALL_SESSIONS],
      guess_counters: ['all', 'Password and factors are gone. Locks on them would keep the owner out.'],
      remembered_credentials: ['all', AS_SESSIONS],
    },
  },
  factor_changed: {
    when: 'A signed-in user adds or removes a second factor. On request, `other_sessions_ended` happens too.',
    reasons: [],
    ends: {
      sessions: ['none', 'Ending the others is offered. Each must show a factor before it changes anything.'],
      half_sign_ins: ['none', 'They still have to show a factor that the account has when they complete.'],
      mailed_tokens: ['none', SAME_MAILBOX],
      address_changes: ['none', STILL_WANTED],
      pending_exchanges: ['none', NOT_RENEWED],
      guess_counters: ['none', STILL_GUESSED],
      remembered_credentials: ['own', 'The session that shows a new factor has it in its `amr` immediately.'],
    },
  },
  factors_reset: {
    when: 'An administrator removes all second factors of an account.',
    reasons: ['ended_by_admin'],
    ends: {
      sessions: ['all', 'An attacker may have the lost factors.'],
      half_sign_ins: ['all', 'They asked for factors that are gone.'],
      mailed_tokens: ['none', SAME_MAILBOX],
      address_changes: ['all', 'An attacker may have requested them.'],
      pending_exchanges: ['none', ALL_SESSIONS],
      guess_counters: ['all', 'An administrator helps the owner to get in.'],
      remembered_credentials: ['all', AS_SESSIONS],
    },
  },
  step_up: {
    when: 'A signed-in user proves again who they are.',
    reasons: [],
    ends: {
      sessions: ['none', 'The proof adds to this session and says nothing against the others.'],
      half_sign_ins: ['none', SAME_PASSWORD],
      mailed_tokens: ['none', SAME_MAILBOX],
      address_changes: ['none', STILL_WANTED],
      pending_exchanges: [
        'own',
        'The session gains rights: a credential requested before the proof must not have them.',
      ],
      guess_counters: ['none', 'The right guess clears its own. The attacker stays locked.'],
      remembered_credentials: [
        'own',
        'The session has another `auth_time`, and where it has one, another cookie.',
      ],
    },
  },
} as const satisfies Record<string, ContainmentRow>;
