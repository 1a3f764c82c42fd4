import { startApp, type TestApp } from '../app.js';
import { mailTo } from '../mailbox.js';
import { freePort } from '../process.js';
import { freshEmail, PASSWORD, signIn, signUp } from '../strategies.js';
import type { Note } from './common.js';

const OTHER = 'a passphrase no attacker can look up';

/** What is answered where passwords are chosen while the service that knows the leaked ones is away. */
export async function provokePasswords(app: TestApp, note: Note): Promise<void> {
  const email = await signUp(app);
  await app.client.post('/password/forgot', { email });
  const { token } = await mailTo(app, email, 'reset_password');
  const strict = await startApp({
    sibling: app,
    env: {
      AUTH_STRATEGY: app.config.auth.AUTH_STRATEGY.join(','),
      BREACHED_PASSWORDS_URL: `http://127.0.0.1:${await freePort()}`,
      BREACHED_PASSWORDS_UNAVAILABLE: 'refuse',
    },
  });
  try {
    const { client } = await signIn(strict, email);
    await note('post /signup', strict.client.post('/signup', { email: freshEmail(), password: OTHER }));
    await note(
      'post /password',
      client.post('/password', { current_password: PASSWORD, new_password: OTHER }),
    );
    await note('post /password/reset', strict.client.post('/password/reset', { token, new_password: OTHER }));
  } finally {
    await strict.close();
  }
}
