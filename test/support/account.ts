import { sql } from 'kysely';
import { type TestApp } from './app.js';
import { type Reply } from './client.js';
import { Holder } from './holder.js';
import { PASSWORD } from './strategies.js';
import { given } from './given.js';

/** Makes the last proof of a session too old for what is sensitive. */
export async function makeStale(app: TestApp, sessionId: string): Promise<void> {
  await given.staleSession(app, sessionId, '11 minutes');
}

export async function countOf(app: TestApp, table: string, email: string): Promise<number> {
  const [row] = await app.query(
    sql<{
      n: number;
    }>`select count(*)::int as n from ${sql.table(table)} where user_id = (select id from users where email = ${email})`,
  );
  return row?.n ?? 0;
}

/** Sends with what a holder has, and keeps what the reply gives. */
export async function call(
  app: TestApp,
  holder: Holder,
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
  path: string,
  body?: unknown,
): Promise<Reply> {
  const reply = await app.client.send(method, path, body, holder.headers);
  if (reply.status < 300) holder.take(reply);
  return reply;
}

export const changePassword = (app: TestApp, holder: Holder, current: string | undefined, wanted: string) =>
  call(app, holder, 'POST', '/password', {
    ...(current !== undefined && { current_password: current }),
    new_password: wanted,
  });

export const reauthenticate = (app: TestApp, holder: Holder, body: object = { password: PASSWORD }) =>
  call(app, holder, 'POST', '/reauthenticate', body);

export const canSignIn = async (app: TestApp, email: string, password: string) =>
  (await app.client.post('/login', { email, password })).status === 200;

/** The events of an account with their sessions, the oldest first. */
export function eventsOf(app: TestApp, userId: string) {
  return app.query(
    sql<{
      kind: string;
      session_id: string | null;
      details: Record<string, unknown>;
    }>`select kind, session_id, details from audit_events where user_id = ${userId} order by at, id`,
  );
}
