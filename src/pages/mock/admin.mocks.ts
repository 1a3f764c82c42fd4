import type { Reply } from '../../client/client.entry.js';
import { refused } from './refusals.ts';
import { endSessions, save, state, userBy } from './state.ts';
import type { Mocks } from './typed-api.ts';
import type { User } from './user.ts';

type Administered = Reply<'GET /admin/users'>['users'][number];

function administered(user: User): Administered {
  const { id, email, name, role, isVerified, disabledAt, createdAt } = user;
  return {
    id,
    email,
    name,
    role,
    email_verified: isVerified,
    disabled_at: disabledAt,
    password_compromised_at: null,
    factors: {
      password: true,
      totp: user.hasTotp,
      passkeys: user.passkeys.length,
      recovery_codes: user.codes.length,
    },
    live_sessions: user.sessions.length,
    created_at: createdAt,
  };
}

const inspected = (user: User): Reply<'GET /admin/users/{id}'> => ({ ...administered(user), locks: [] });

function userOf({ id }: { readonly id: string }): User {
  const user = userBy('id', id);
  if (!user) throw refused('not_found', 404);
  return user;
}

export const adminMocks = {
  'GET /admin/users': ({ query, reply }) => {
    const prefix = (query.email_prefix ?? '').toLowerCase();
    const found = state.users.filter(
      (user) =>
        user.email.toLowerCase().startsWith(prefix) &&
        (query.role === undefined || user.role === query.role) &&
        (query.state === undefined || (user.disabledAt === null) === (query.state === 'enabled')),
    );
    const start = Number(query.cursor ?? 0);
    const end = start + Number(query.limit ?? 20);
    return reply(200, {
      users: found.slice(start, end).map(administered),
      next_cursor: end < found.length ? String(end) : null,
    });
  },
  'GET /admin/users/{id}': ({ params, reply }) => reply(200, inspected(userOf(params))),
  'PATCH /admin/users/{id}': ({ params, body, reply }) => {
    const user = userOf(params);
    const admins = state.users.filter(({ role, disabledAt }) => role === 'admin' && disabledAt === null);
    const leaves = body.role === 'user' || body.disabled === true;
    if (leaves && admins.length === 1 && admins[0] === user) throw refused('last_admin', 409);
    user.role = body.role ?? user.role;
    if (body.disabled !== undefined) user.disabledAt = body.disabled ? new Date().toISOString() : null;
    if (body.disabled) endSessions(user, () => true);
    save();
    return reply(200, inspected(user));
  },
  'GET /admin/users/{id}/sessions': ({ params, reply }) => {
    const { sessions } = userOf(params);
    return reply(200, {
      sessions: sessions.map((session) => ({ ...session, current: session.id === state.current?.session })),
    });
  },
  'DELETE /admin/users/{id}/sessions': ({ params, reply }) => {
    const ended = endSessions(userOf(params), () => true);
    save();
    return reply(200, { ended });
  },
  'DELETE /admin/users/{id}/sessions/{session_id}': ({ params, reply }) => {
    endSessions(userOf(params), ({ id }) => id === params.session_id);
    save();
    return reply(204);
  },
  'GET /admin/audit': ({ query, reply }) => {
    const users = query.user_id === undefined ? state.users : [userOf({ id: query.user_id })];
    const events = users.flatMap((user) =>
      user.events.map(({ id, kind, at, actor, session_id, ip, user_agent, details }) => ({
        id,
        kind,
        at,
        actor,
        session_id,
        ip,
        user_agent,
        details,
        user_id: user.id,
        request_id: null,
        seq: null,
      })),
    );
    return reply(200, { events: events.slice(0, Number(query.limit ?? 20)), next_cursor: null });
  },
} satisfies Partial<Mocks>;
