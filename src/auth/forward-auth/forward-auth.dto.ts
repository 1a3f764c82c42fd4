import type { LiveSession } from '../sessions/session-state.js';

/** What a reverse proxy learns of whoever is signed in, and may hand to the service behind it. No personal data. */
export const IDENTITY_HEADERS = {
  'X-Auth-Subject': 'The id of the account: `sub` of access tokens.',
  'X-Auth-Session': 'The id of the session: `sid`.',
  'X-Auth-Time': 'When the person last proved who they are, in seconds since 1970: `auth_time`.',
  'X-Auth-Methods': 'How, as RFC 8176 names, with commas between them: `amr`.',
  'X-Auth-Strategy': 'Which strategy issued at sign-in.',
} as const;

/** The header fields that tell a proxy whose session it is. */
export function identityHeaders(session: LiveSession): Record<keyof typeof IDENTITY_HEADERS, string> {
  return {
    'X-Auth-Subject': session.userId,
    'X-Auth-Session': session.sessionId,
    'X-Auth-Time': String(Math.floor(session.authenticatedAt.getTime() / 1000)),
    'X-Auth-Methods': session.methods.join(','),
    'X-Auth-Strategy': session.strategy,
  };
}
