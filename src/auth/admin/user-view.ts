import type { AdministeredUserView } from './admin.dto.js';
import type { AdministeredUser } from './user-administration.js';

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
