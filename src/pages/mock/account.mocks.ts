import type { Reply } from '../../client/client.entry.js';
import { site } from '../site.js';
import { demoCodes } from './demo-users.ts';
import { checkCurrentPassword, checkNewPassword, isWrong, refused, signedIn } from './refusals.ts';
import { endSessions, note, save, state } from './state.ts';
import type { Mocks } from './typed-api.ts';
import type { Passkey, User } from './user.ts';

/** A picture in place of the QR code. */
const QR =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 7 7"><path fill="#fff" d="M0 0h7v7H0z"/><path d="M1 1h2v2H1zm3 0h2v2H4zM1 4h2v2H1zm3 1h1v1H4zm1-1h1v1H5z"/></svg>';

function accountOf(user: User): Reply<'GET /users/me'> {
  const { id, email, isVerified, name, language, role, createdAt } = user;
  return { id, email, email_verified: isVerified, name, language, role, created_at: createdAt };
}

/** Runs a change of the user who is signed in, and keeps it. */
function change<T>(act: (user: User) => T): T {
  const result = act(signedIn());
  save();
  return result;
}

function passkeyOf(user: User, id: string): Passkey {
  const found = user.passkeys.find((passkey) => passkey.id === id);
  if (!found) throw refused('not_found', 404);
  return found;
}

export const accountMocks = {
  'GET /users/me': ({ reply }) => reply(200, accountOf(signedIn())),
  'PATCH /users/me': ({ body, reply }) =>
    change((user) => {
      if (body.name !== undefined) user.name = body.name;
      if (body.language !== undefined) user.language = body.language;
      note(user, 'profile_changed', 'Profile changed');
      return reply(200, accountOf(user));
    }),
  'DELETE /users/me': ({ reply }) =>
    change((user) => {
      const isLast = user.role === 'admin' && state.users.filter(({ role }) => role === 'admin').length === 1;
      if (isLast) throw refused('last_admin', 409);
      endSessions(user, () => true);
      state.users = state.users.filter(({ id }) => id !== user.id);
      return reply(204);
    }),
  'GET /users/me/sign-in-methods': ({ reply }) => {
    const { passkeys, hasTotp, codes, pendingEmail } = signedIn();
    return reply(200, {
      password: true,
      passkeys: passkeys.length,
      totp: hasTotp,
      recovery_codes_left: codes.length,
      pending_email: pendingEmail,
    });
  },
  'GET /users/me/events': ({ query, reply }) => {
    const { events } = signedIn();
    const start = Number(query.cursor ?? 0);
    const end = start + Number(query.limit ?? 20);
    return reply(200, {
      events: events.slice(start, end),
      next_cursor: end < events.length ? String(end) : null,
    });
  },
  'GET /users/me/export': ({ reply }) => {
    const user = signedIn();
    return reply(200, {
      exported_at: new Date().toISOString(),
      account: { ...accountOf(user) },
      sessions: user.sessions,
      passkeys: user.passkeys.map((passkey) => ({ ...passkey })),
      totp_authenticators: [],
      recovery_codes: [],
      known_devices: [],
      one_time_tokens: [],
      mfa_challenges: [],
      webauthn_challenges: [],
      audit_events: [],
      outbox_mails: [],
    });
  },
  'POST /password': ({ body, reply }) =>
    change((user) => {
      checkCurrentPassword(body.current_password);
      checkNewPassword(body.new_password, 'new_password');
      endSessions(user, ({ id }) => id !== state.current?.session);
      note(user, 'password_changed', 'Password changed');
      return reply(204);
    }),
  'POST /email': ({ body, reply }) =>
    change((user) => {
      user.pendingEmail = body.email.trim();
      return reply(202);
    }),
  'POST /email/verify/resend': ({ reply }) => change(() => reply(202)),
  'GET /sessions': ({ reply }) => {
    const sessions = signedIn().sessions.map((session) => ({
      ...session,
      current: session.id === state.current?.session,
    }));
    return reply(200, { sessions });
  },
  'DELETE /sessions/{id}': ({ params, reply }) =>
    change((user) => {
      if (endSessions(user, ({ id }) => id === params.id) === 0) throw refused('not_found', 404);
      return reply(204);
    }),
  'GET /passkeys': ({ reply }) => {
    const { passkeys } = signedIn();
    // Without a user handle, the page reports nothing to the password manager of the developer.
    return reply(200, { passkeys, rp_id: site.host, user_handle: null });
  },
  'POST /passkeys/registration/options': ({ reply }) => {
    const { email } = signedIn();
    return reply(200, {
      challenge: 'bW9jaw',
      rp: { id: site.host, name: site.brand },
      user: { id: 'bW9jaw', name: email, displayName: email },
      pubKeyCredParams: [{ alg: -7, type: 'public-key' }],
      timeout: 300_000,
      attestation: 'none',
      excludeCredentials: [],
      authenticatorSelection: {
        residentKey: 'required',
        requireResidentKey: true,
        userVerification: 'required',
      },
      extensions: { credProps: true },
      hints: [],
    });
  },
  'POST /passkeys/registration/verify': ({ body, reply }) =>
    change((user) => {
      const passkey: Passkey = {
        id: crypto.randomUUID(),
        credential_id: body.credential.id,
        name: body.name ?? 'This browser',
        created_at: new Date().toISOString(),
        last_used_at: null,
        is_backed_up: false,
        transports: ['internal'],
        aaguid: '00000000-0000-0000-0000-000000000000',
        is_disabled: false,
      };
      user.passkeys.push(passkey);
      note(user, 'passkey_added', 'Passkey added');
      return reply(201, passkey);
    }),
  'PATCH /passkeys/{id}': ({ params, body, reply }) =>
    change((user) => reply(200, Object.assign(passkeyOf(user, params.id), { name: body.name }))),
  'DELETE /passkeys/{id}': ({ params, reply }) =>
    change((user) => {
      const removed = passkeyOf(user, params.id);
      user.passkeys = user.passkeys.filter((passkey) => passkey !== removed);
      note(user, 'passkey_removed', 'Passkey removed');
      return reply(204);
    }),
  'POST /totp': ({ reply }) => {
    signedIn();
    const secret = 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP';
    return reply(200, { secret, otpauth_uri: `otpauth://totp/Mock?secret=${secret}`, qr_svg: QR });
  },
  'POST /totp/confirm': ({ body, reply }) =>
    change((user) => {
      if (isWrong(body.code)) throw refused('totp_code_wrong', 400);
      user.hasTotp = true;
      note(user, 'totp_added', 'Authenticator app added');
      return reply(204);
    }),
  'DELETE /totp': ({ reply }) =>
    change((user) => {
      user.hasTotp = false;
      note(user, 'totp_removed', 'Authenticator app removed');
      return reply(204);
    }),
  'POST /recovery-codes': ({ reply }) =>
    change((user) => {
      if (!user.hasTotp && user.passkeys.length === 0) throw refused('no_second_factor', 409);
      user.codes = demoCodes();
      note(user, 'recovery_codes_made', 'Recovery codes created');
      return reply(200, { codes: user.codes });
    }),
} satisfies Partial<Mocks>;
