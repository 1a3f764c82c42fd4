import type { TestApp } from '../app.js';
import { mailTo } from '../mailbox.js';
import { freshEmail, signIn, signUp } from '../strategies.js';
import type { Note } from './common.js';

const OTHER = 'another quiet passphrase';

/** What the calls around mailed tokens can answer. */
export async function provokeRecovery(app: TestApp, note: Note): Promise<void> {
  const { client, email } = await signIn(app);
  const post = (path: string, body: object) => app.client.post(path, body);
  await note(
    'post /password/forgot',
    post('/password/forgot', { email }),
    post('/password/forgot', { email: 'x' }),
  );
  const { token } = await mailTo(app, email, 'reset_password');
  const wanted = freshEmail();
  await note('post /email', client.post('/email', { email: wanted }), client.post('/email', { email: 'x' }));
  const change = await mailTo(app, wanted, 'change_email');
  await signUp(app, wanted);
  await note('post /email/verify/resend', client.post('/email/verify/resend'));
  const proof = await mailTo(app, email, 'verify_email');
  await note(
    'post /email/verify',
    post('/email/verify', { token: change.token }),
    post('/email/verify', { token: proof.token }),
    post('/email/verify', { token: proof.token }),
    post('/email/verify', { token: 7 }),
  );
  await note('post /password/reset', post('/password/reset', { token, new_password: 'short' }));
  await note('post /password/reset', post('/password/reset', { token, new_password: OTHER }));
  await note(
    'post /password/reset',
    post('/password/reset', { token, new_password: OTHER }),
    post('/password/reset', { token: 7 }),
  );
}
