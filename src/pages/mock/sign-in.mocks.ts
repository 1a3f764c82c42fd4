import type { Reply } from '../../client/client.entry.js';
import { site } from '../site.js';
import { demoUser } from './demo-users.ts';
import {
  checkNewPassword,
  isWrong,
  refused,
  secondFactorRequired,
  signedIn,
  wrongSignIn,
} from './refusals.ts';
import { currentUser, endSessions, note, save, startSession, state, userBy } from './state.ts';
import type { Mocks } from './typed-api.ts';
import type { User } from './user.ts';

/** The session lasts as long as one of SESSION_ABSOLUTE_TTL. */
const SESSION_LIFE = 30 * 86_400_000;

function signIn(user: User): Reply<'POST /login'> {
  const { id, created_at } = startSession(user);
  save();
  return loginReply(user, id, created_at);
}

function loginReply(user: User, id: string, created: string): Reply<'POST /login'> {
  const expires = new Date(Date.parse(created) + SESSION_LIFE).toISOString();
  const session = { id, strategy: 'session', created_at: created, expires_at: expires } as const;
  return { success: true, email: user.email, session };
}

export const signInMocks = {
  'GET /me': ({ reply }) => {
    const user = currentUser();
    return reply(200, user ? { logged_in: true, email: user.email } : { logged_in: false });
  },
  'POST /signup': ({ body, reply }) => {
    checkNewPassword(body.password, 'password');
    const taken = userBy('email', body.email);
    if (taken && !site.verifiesEmail) throw refused('email_taken', 409);
    const user = taken ?? demoUser(body.email.trim(), 0);
    if (!taken) state.users.push(user);
    note(user, 'signup', 'Account created');
    state.mailedTo = user.id;
    save();
    return reply(201, { id: user.id, message: 'Signup successful' });
  },
  'POST /login': ({ body, reply }) => {
    const user = userBy('email', body.email);
    const isRefused = !user || user.disabledAt !== null || isWrong(body.password);
    if (isRefused || state.situation === 'locked_out') throw wrongSignIn('invalid_credentials');
    if (user.hasTotp || state.situation === 'second_factor') {
      state.pending = user.id;
      save();
      throw secondFactorRequired(user);
    }
    return reply(200, signIn(user));
  },
  'POST /mfa': ({ body, reply }) => {
    const user = state.pending === null ? undefined : userBy('id', state.pending);
    if (!user) throw wrongSignIn('mfa_token_invalid');
    if (isWrong(body.code ?? body.recovery_code ?? '')) throw wrongSignIn('mfa_failed');
    if (state.situation === 'second_factor') state.situation = 'normal';
    return reply(200, signIn(user));
  },
  'POST /passkeys/authentication/options': ({ reply }) =>
    reply(200, {
      rpId: site.host,
      challenge: 'bW9jaw',
      allowCredentials: [],
      timeout: 300_000,
      userVerification: 'required',
    }),
  'POST /passkeys/authentication/verify': ({ reply }) => {
    const [user] = state.users;
    if (!user) throw wrongSignIn('invalid_credentials');
    return reply(200, signIn(user));
  },
  'POST /reauthenticate': ({ body, reply }) => {
    signedIn();
    if (isWrong(body.password ?? body.code ?? '')) throw refused('reauthentication_failed', 403);
    if (state.situation === 'step_up') state.situation = 'normal';
    save();
    return reply(204);
  },
  'POST /logout': ({ query, reply }) => {
    const user = currentUser();
    const own = state.current?.session;
    if (user && query.scope === 'global') endSessions(user, () => true);
    else if (user && query.scope === 'others') endSessions(user, ({ id }) => id !== own);
    else if (user) endSessions(user, ({ id }) => id === own);
    save();
    return reply(200, { logged_in: false });
  },
  'POST /refresh': ({ reply }) => {
    signedIn();
    return reply(200, {});
  },
  'POST /session/exchange': ({ reply }) => {
    const user = signedIn();
    return reply(200, loginReply(user, state.current?.session ?? '', new Date().toISOString()));
  },
  'POST /password/forgot': ({ body, reply }) => {
    state.mailedTo = userBy('email', body.email)?.id ?? null;
    save();
    return reply(202);
  },
  'POST /password/reset': ({ body, reply }) => {
    if (isWrong(body.token)) throw refused('token_invalid', 400);
    checkNewPassword(body.new_password, 'new_password');
    const user = state.mailedTo === null ? undefined : userBy('id', state.mailedTo);
    if (user) {
      endSessions(user, () => true);
      note(user, 'password_reset', 'Password reset');
    }
    save();
    return reply(204);
  },
  'POST /email/verify': ({ body, reply }) => {
    if (isWrong(body.token)) throw refused('token_invalid', 400);
    const user = currentUser() ?? (state.mailedTo === null ? undefined : userBy('id', state.mailedTo));
    if (user) {
      user.email = user.pendingEmail ?? user.email;
      user.pendingEmail = null;
      user.isVerified = true;
      note(user, 'email_verified', 'E-mail address verified');
    }
    save();
    return reply(204);
  },
} satisfies Partial<Mocks>;
