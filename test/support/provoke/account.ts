import { sql } from 'kysely';
import type { TestApp } from '../app.js';
import { PASSWORD, signIn } from '../strategies.js';
import type { Note } from './common.js';
import { given } from '../given.js';

const OTHER = 'another long passphrase';

/** What the calls on one's own account, and the proof they ask for, can answer. */
export async function provokeAccount(app: TestApp, note: Note): Promise<void> {
  const { client, sessionId, email } = await signIn(app);
  await note(
    'patch /users/me',
    client.send('PATCH', '/users/me', { name: 'Ada' }),
    client.send('PATCH', '/users/me', { email: 'eve@example.com' }),
  );
  await note('get /users/me/export', client.get('/users/me/export'));
  await note('get /users/me/sign-in-methods', client.get('/users/me/sign-in-methods'));
  await note(
    'post /reauthenticate',
    client.post('/reauthenticate', {}),
    client.post('/reauthenticate', { password: 'wrong' }),
  );
  await note(
    'post /password',
    client.post('/password', { current_password: PASSWORD }),
    client.post('/password', { current_password: PASSWORD, new_password: 'short' }),
    client.post('/password', { current_password: 'wrong', new_password: OTHER }),
  );
  await given.staleSession(app, sessionId);
  await note('post /password', await client.post('/password', { new_password: OTHER }));
  await note(
    'post /password',
    await client.post('/password', { current_password: PASSWORD, new_password: OTHER }),
  );
  const again = await signIn(app, email, OTHER);
  await app.query(
    sql`insert into totp_authenticators (user_id, seed, confirmed_at)
        select id, ${Buffer.alloc(48)}, now() from users where email = ${email}`,
  );
  await note('post /reauthenticate', await again.client.post('/reauthenticate', { password: OTHER }));
  await app.query(
    sql`delete from totp_authenticators where user_id = (select id from users where email = ${email})`,
  );
  await note('post /reauthenticate', await again.client.post('/reauthenticate', { password: OTHER }));
  // The only administrator cannot be deleted; afterwards the user is no administrator.
  await app.query(sql`update users set role = case when email = ${email} then 'admin' else 'user' end`);
  const last = await signIn(app, email, OTHER);
  await note('delete /users/me', await last.client.send('DELETE', '/users/me'));
  await given.role(app, email, 'user');
  await note('delete /users/me', await last.client.send('DELETE', '/users/me'));
}
