import { sql } from 'kysely';
import type { TestApp } from '../app.js';
import { PASSWORD, signIn } from '../strategies.js';
import type { Note } from './common.js';

/** What administration can answer. */
export async function provokeAdmin(app: TestApp, note: Note): Promise<void> {
  const { client, email } = await signIn(app);
  const [admin] = await app.query(
    sql<{ id: string }>`update users set role = 'admin' where email = ${email} returning id`,
  );
  const other = await signIn(app);
  const [someone] = await app.query(sql<{ id: string }>`select id from users where email = ${other.email}`);
  const own = `/admin/users/${admin?.id}`;
  const theirs = `/admin/users/${someone?.id}`;
  const unknownUser = `/admin/users/${crypto.randomUUID()}`;
  await note('get /admin/users', client.get('/admin/users'), client.get('/admin/users?limit=0'));
  await note('get /admin/users/{id}', client.get(theirs), client.get(unknownUser));
  // Only this one may be left, or it is not the last.
  await app.query(sql`update users set role = 'user' where id <> ${admin?.id}`);
  await note(
    'patch /admin/users/{id}',
    client.send('PATCH', theirs, { disabled: false }),
    client.send('PATCH', theirs, { unknown: true }),
    client.send('PATCH', unknownUser, { disabled: true }),
    client.send('PATCH', own, { role: 'user' }),
  );
  const victim = await signIn(app);
  const [marked] = await app.query(sql<{ id: string }>`select id from users where email = ${victim.email}`);
  await client.send('PATCH', `/admin/users/${marked?.id}`, { password_compromised: true });
  await note('post /login', app.client.post('/login', { email: victim.email, password: PASSWORD }));
  const session = `sessions/${other.sessionId}`;
  await note(
    'get /admin/users/{id}/sessions',
    client.get(`${theirs}/sessions`),
    client.get(`${unknownUser}/sessions`),
  );
  await note(
    'delete /admin/users/{id}/sessions/{session_id}',
    client.send('DELETE', `${theirs}/${session}`),
    client.send('DELETE', `${unknownUser}/${session}`),
  );
  await note(
    'delete /admin/users/{id}/sessions',
    client.send('DELETE', `${theirs}/sessions`),
    client.send('DELETE', `${unknownUser}/sessions`),
  );
  await note('get /admin/audit', client.get('/admin/audit'), client.get('/admin/audit?kind=x'));
}
