import { afterAll, beforeAll } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, type TestApp } from './app.js';
import { type Reply } from './client.js';
import { type SignedIn } from './strategies.js';
import { type Lies, type RegistrationLies, SoftwareAuthenticator } from './webauthn.js';

export const ORIGIN = 'http://localhost:8000';

const apps: TestApp[] = [];

export async function start(options: Parameters<typeof startApp>[0]): Promise<TestApp> {
  const app = await startApp(options);
  apps.push(app);
  return app;
}

/** Two nodes of one service, for all that does not depend on the strategy. */
export let here: TestApp;
export let there: TestApp;

/** Asks for a new passkey and answers. */
export async function register(
  { client }: Pick<SignedIn, 'client'>,
  lies: RegistrationLies = {},
  more: object = {},
): Promise<{ authenticator: SoftwareAuthenticator; reply: Reply; id: string }> {
  const options = await client.post('/passkeys/registration/options');
  if (options.status !== 200) throw new Error(`no options: ${options.text}`);
  const { authenticator, credential } = SoftwareAuthenticator.create(ORIGIN, options.body as never, lies);
  const reply = await client.post('/passkeys/registration/verify', { credential, ...more });
  return { authenticator, reply, id: reply.body['id'] };
}

/** The same, for those that are to be taken. */
export async function enrol(
  person: Pick<SignedIn, 'client'>,
  lies?: RegistrationLies,
): Promise<{ authenticator: SoftwareAuthenticator; id: string }> {
  const registered = await register(person, lies);
  if (registered.reply.status !== 201) throw new Error(`not registered: ${registered.reply.text}`);
  return registered;
}

export async function requestOptions(app: TestApp, body?: object, headers?: Record<string, string>) {
  const reply = await app.client.post('/passkeys/authentication/options', body, headers);
  if (reply.status !== 200) throw new Error(`no options: ${reply.text}`);
  return reply.body as { challenge: string; rpId: string; allowCredentials: { id: string }[] };
}

/** Signs in with a passkey alone. */
export async function passkeySignIn(
  app: TestApp,
  authenticator: SoftwareAuthenticator,
  lies: Lies = {},
  more: object = {},
  headers: Record<string, string> = {},
): Promise<Reply> {
  const credential = authenticator.get(await requestOptions(app), lies);
  return app.client.post('/passkeys/authentication/verify', { credential, ...more }, headers);
}

/** All of an answer that a caller can compare, but for what is different in each. */
export function comparable({ status, headers, body }: Reply): unknown {
  const { 'x-request-id': _id, date: _date, 'content-length': _length, ...rest } = headers;
  return { status, headers: rest, body: { ...body, request_id: null } };
}

export const codeOf = ({ status, body }: Reply) => ({ status, code: body['code'] as string });

export async function audited(
  app: TestApp,
  userId: string,
): Promise<{ kind: string; details: Record<string, unknown> }[]> {
  return app.query(
    sql<{
      kind: string;
      details: Record<string, unknown>;
    }>`select kind, details from audit_events where user_id = ${userId} order by at, id`,
  );
}

export async function userIdOf({ client }: SignedIn): Promise<string> {
  return (await client.get('/users/me')).body['id'];
}

/** Registers a hook that closes the started applications after all tests. */
function closeStarted(): void {
  // Siblings first: the database goes with the one that made it.
  afterAll(async () => {
    for (const app of apps.toReversed()) await app.close();
  });
}

/** Registers hooks that start the two nodes and close them after all tests. */
export function bootTwoNodes(): void {
  closeStarted();
  beforeAll(async () => {
    const env = { TRUSTED_ORIGINS: `${ORIGIN},http://app.localhost:8000,https://elsewhere.example` };
    here = await start({ env });
    there = await start({ env, sibling: here });
  });
}
