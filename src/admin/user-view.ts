import type { AdministeredUserView, InspectedUserView } from './admin.dto.js';
import type { AdministeredUser, InspectedUser } from './administered-user.js';

/** An account as replies and the command line show it. */
export function userView(user: AdministeredUser): AdministeredUserView {
  return {
    id: user.id,
    email: user.email,
    name: user.name,
    role: user.role,
    email_verified: user.isEmailVerified,
    disabled_at: user.disabledAt?.toISOString() ?? null,
    password_compromised_at: user.passwordCompromisedAt?.toISOString() ?? null,
    factors: {
      password: user.hasPassword,
      totp: user.hasTotp,
      passkeys: user.passkeys,
      recovery_codes: user.recoveryCodes,
    },
    live_sessions: user.liveSessions,
    created_at: user.createdAt.toISOString(),
  };
}

/** The same for an account from a single lookup. */
export function inspectedView(user: InspectedUser): InspectedUserView {
  const locks = user.locks.map(({ until, ...lock }) => ({ ...lock, until: until?.toISOString() ?? null }));
  return { ...userView(user), locks };
}
