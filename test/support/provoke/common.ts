import { sql } from 'kysely';
import type { TestApp } from '../app.js';
import type { Client, Reply } from '../client.js';
import { signIn } from '../strategies.js';
import { given } from '../given.js';

/** Takes down what calls of an operation, such as `delete /passkeys/{id}`, were answered. */
export type Note = (name: string, ...calls: (Reply | Promise<Reply>)[]) => Promise<void>;

/** What the specification says of an operation, as far as it decides what can be provoked. */
export interface Provokable {
  readonly name: string;
  readonly codes: ReadonlySet<string>;
  readonly hasBody: boolean;
}

/** Callers whose credentials are refused, each for another reason. */
export type DeadHeaders = readonly Readonly<Record<string, string>>[];

const HTML = { accept: 'text/html' };
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

/** A user whose `auth_time` is an hour ago. */
async function staleCaller(app: TestApp, role: 'user' | 'admin'): Promise<Client> {
  const { client, sessionId, email } = await signIn(app);
  await app.query(sql`update users set role = ${role} where email = ${email}`);
  await given.staleSession(app, sessionId);
  return client;
}

/** Provokes what every route answers alike: bodies that are none, other sites, dead credentials, missing rights. */
export async function provokeCommon(
  app: TestApp,
  operations: readonly Provokable[],
  dead: DeadHeaders,
  note: Note,
): Promise<void> {
  const fresh = (await signIn(app)).client;
  const stale = await staleCaller(app, 'admin');
  for (const { name, codes, hasBody } of operations) {
    const [method = '', path = ''] = name.split(' ');
    const url = path.replaceAll(/\{\w+\}/g, '019a0000-0000-7000-8000-000000000002');
    const call = (client: Client, body?: unknown, headers: Record<string, string> = {}) =>
      client.send(method.toUpperCase() as 'POST', url, body, headers);
    await note(name, call(app.client, undefined, HTML));
    if (method !== 'get') {
      await note(
        name,
        call(app.client, '{'),
        call(app.client, { filler: 'x'.repeat(17_000) }),
        call(app.client, 'a=b', FORM),
        call(app.client, undefined, { origin: 'https://evil.example' }),
      );
    }
    const isClosed = codes.has('authentication_required');
    if (isClosed) for (const headers of dead) await note(name, call(app.client, undefined, headers));
    if (codes.has('forbidden')) await note(name, call(fresh));
    if (codes.has('step_up_required')) await note(name, call(stale));
    if (isClosed && hasBody && !codes.has('forbidden')) await note(name, call(fresh, { unknown: true }));
    if (!isClosed && hasBody) await note(name, call(app.client, { unknown: true }));
  }
}
