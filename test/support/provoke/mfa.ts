import type { TestApp } from '../app.js';
import { PASSWORD, signIn, strategyOf } from '../strategies.js';
import { addRecoveryCodes, codeOfNow, enrolled, forgetSteps, mfaToken, wrongCode } from '../totp.js';
import type { Note } from './common.js';

/** What authenticator apps, recovery codes and signing in with a second factor can answer. */
export async function provokeMfa(app: TestApp, note: Note): Promise<void> {
  const { client } = await signIn(app);
  await note('delete /totp', client.send('DELETE', '/totp'));
  await note('delete /totp', client.send('DELETE', '/totp?end_other_sessions=perhaps'));
  await note('post /recovery-codes', client.post('/recovery-codes'));
  await note(
    'post /totp/confirm',
    client.post('/totp/confirm', {}),
    client.post('/totp/confirm', { code: '123456' }),
  );
  const begun = await client.post('/totp');
  await note('post /totp', begun);
  const { secret } = begun.body;
  await note(
    'post /totp/confirm',
    await client.post('/totp/confirm', { code: await wrongCode(app, secret) }),
  );
  await note(
    'post /totp/confirm',
    await client.post('/totp/confirm', { code: await codeOfNow(app, secret) }),
  );
  await note('post /recovery-codes', client.post('/recovery-codes'));
  await note('delete /totp', await client.send('DELETE', '/totp'));
  await provokeSignIn(app, note);
}

async function provokeSignIn(app: TestApp, note: Note): Promise<void> {
  const person = await enrolled(app);
  await addRecoveryCodes(person.client);
  await note('post /login', app.client.post('/login', { email: person.email, password: PASSWORD }));
  const [one, other] = [await signIn(app), await signIn(app)];
  const conflict =
    strategyOf(app).issues === 'session'
      ? { cookie: `${one.headers['cookie']}; ${other.headers['cookie']}` }
      : { ...one.headers, cookie: `access_token=${other.reply.body['access_token']}` };
  const mfa_token = await mfaToken(app, person.email);
  await forgetSteps(app);
  const right = { mfa_token, code: await codeOfNow(app, person.secret) };
  await note(
    'post /mfa',
    await app.client.post('/mfa', { mfa_token }),
    await app.client.post('/mfa', { mfa_token, code: await wrongCode(app, person.secret) }),
    await app.client.post('/mfa', right, conflict),
    await app.client.post('/mfa', right),
    await app.client.post('/mfa', right),
  );
}
