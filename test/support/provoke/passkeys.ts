import { sql } from 'kysely';
import type { TestApp } from '../app.js';
import type { Client } from '../client.js';
import { PASSWORD, signIn, type SignedIn } from '../strategies.js';
import { SoftwareAuthenticator } from '../webauthn.js';
import type { Note } from './common.js';
import { given } from '../given.js';

/** Callers of re-authentication options, each with a credential that is dead for another reason. */
async function deadCallers(app: TestApp): Promise<Record<string, string>[]> {
  const expired = await signIn(app);
  await given.expiredSession(app, expired.sessionId);
  const revoked = await signIn(app);
  await revoked.client.post('/logout');
  return [{}, { authorization: 'Bearer nonsense' }, expired.headers, revoked.headers];
}

/** Calls the routes of passkeys in all the ways that have an answer of their own. */
export async function provokePasskeys(app: TestApp, note: Note): Promise<void> {
  const { origin } = new URL(app.config.app.PUBLIC_URL);
  const [owner, stranger] = [await signIn(app), await signIn(app)];
  const optionsOf = async (client: Client) => (await client.post('/passkeys/registration/options')).body;
  const conflict = conflictOf(owner, stranger);

  // Adding one.
  const [begin, add] = ['post /passkeys/registration/options', 'post /passkeys/registration/verify'];
  await note(begin, owner.client.post('/passkeys/registration/options'));
  const made = SoftwareAuthenticator.create(origin, (await optionsOf(owner.client)) as never);
  const body = { credential: made.credential, name: 'My phone' };
  const added = await owner.client.post('/passkeys/registration/verify', body);
  await note(add, added, owner.client.post('/passkeys/registration/verify', body));
  await note(add, owner.client.post('/passkeys/registration/verify', { ...body, name: '' }));
  const { credentialId } = made.authenticator;
  const again = SoftwareAuthenticator.create(origin, (await optionsOf(stranger.client)) as never, {
    credentialId,
  });
  await note(add, stranger.client.post('/passkeys/registration/verify', { credential: again.credential }));

  // One too many.
  const late = SoftwareAuthenticator.create(origin, (await optionsOf(stranger.client)) as never);
  await app.query(
    sql`insert into passkeys (id, user_id, name, credential_id, public_key, transports, is_backup_eligible, is_backed_up, aaguid)
      select gen_random_uuid(), u.id, 'x', decode(md5(u.id::text || n), 'hex'), 'x', '{}', false, false, 'x'
      from users u, generate_series(1, 20) n where u.email = ${stranger.email}`,
  );
  // As if they had been made in this session: it would have to show one first otherwise.
  await given.sessionWithMethods(app, stranger.sessionId, ['pwd', 'mfa']);
  await note(begin, stranger.client.post('/passkeys/registration/options'));
  await note(add, stranger.client.post('/passkeys/registration/verify', { credential: late.credential }));

  // Using it.
  const [ask, answer] = ['post /passkeys/authentication/options', 'post /passkeys/authentication/verify'];
  const options = await app.client.post('/passkeys/authentication/options');
  await note(ask, options, app.client.post('/passkeys/authentication/options', { mfa_token: 'unknown' }));
  await note(ask, owner.client.post('/passkeys/authentication/options', { purpose: 'unknown' }));
  for (const headers of [...(await deadCallers(app)), conflict]) {
    const reply = app.client.post(
      '/passkeys/authentication/options',
      { purpose: 'reauthentication' },
      headers,
    );
    await note(ask, reply);
  }
  const credential = made.authenticator.get(options.body as never);
  await note(answer, await app.client.post('/passkeys/authentication/verify', { credential }));
  await note(answer, app.client.post('/passkeys/authentication/verify', { credential }));
  await note(answer, app.client.post('/passkeys/authentication/verify', { credential }, conflict));

  // Looking after it.
  const { id } = added.body;
  const caller = await signedInByFactor(app, owner.email, made.authenticator);
  const [rename, remove] = ['patch /passkeys/{id}', 'delete /passkeys/{id}'];
  await note('get /passkeys', caller.get('/passkeys'));
  await note(rename, caller.send('PATCH', `/passkeys/${id}`, { name: 'Another' }));
  await note(rename, caller.send('PATCH', '/passkeys/x', { name: 'Another' }));
  await note(rename, caller.send('PATCH', '/passkeys/x', { name: '' }));
  await note(remove, caller.send('DELETE', '/passkeys/x?end_other_sessions=perhaps'));
  await note(remove, caller.send('DELETE', '/passkeys/x'));
  await given.passwordHash(app, owner.email, null);
  await note(remove, await caller.send('DELETE', `/passkeys/${id}`));
  await given.passwordHash(app, owner.email, 'x');
  await note(remove, await caller.send('DELETE', `/passkeys/${id}`));
}

/** Live credentials of two people in one request. */
function conflictOf(one: SignedIn, other: SignedIn): Record<string, string> {
  const { authorization, cookie } = one.headers;
  if (authorization === undefined) return { cookie: `${cookie}; ${other.headers['cookie']}` };
  return { authorization, cookie: `access_token=${other.reply.body['access_token']}` };
}

/** A sign-in with a password and the passkey. */
async function signedInByFactor(
  app: TestApp,
  email: string,
  authenticator: SoftwareAuthenticator,
): Promise<Client> {
  const { mfa_token } = (await app.client.post('/login', { email, password: PASSWORD })).body;
  const options = await app.client.post('/passkeys/authentication/options', { mfa_token });
  const credential = authenticator.get(options.body as never);
  const reply = await app.client.post('/mfa', { mfa_token, credential });
  return app.client.with(
    reply.body['access_token']
      ? { authorization: `Bearer ${reply.body['access_token']}` }
      : { cookie: reply.setCookies.map((line) => line.split(';')[0]).join('; ') },
  );
}
