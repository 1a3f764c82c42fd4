import { sql } from 'kysely';
import { MfaChallenges } from '../../src/auth/assurance/mfa-challenges.service.js';
import { type TestApp } from './app.js';
import { type Reply } from './client.js';
import { PASSWORD } from './strategies.js';

export const login = (app: TestApp, email: string, body: object = {}) =>
  app.client.post('/login', { email, password: PASSWORD, ...body });

export const answerOf = ({ status, body }: Reply) => [status, body['code']];

/** A passkey that nobody has: it counts as a factor all the same. */
export async function addPasskeyRow(app: TestApp, email: string): Promise<string> {
  const [row] = await app.query(
    sql<{
      id: string;
    }>`insert into passkeys (id, user_id, name, credential_id, public_key, transports, is_backup_eligible, is_backed_up, aaguid)
        select gen_random_uuid(), id, 'key', sha256(id::text::bytea), '\\x00', '{}', false, false, '00000000-0000-0000-0000-000000000000'
        from users where email = ${email} returning id`,
  );
  return row?.id ?? '';
}

/** What was to be told of factors by mail, the oldest first. */
export function mailsTo(
  app: TestApp,
  email: string,
): Promise<{ kind: string; params: Record<string, string> }[]> {
  return app.query(
    sql`select kind, params from outbox_mails where recipient = ${email} and (kind like 'factor_%' or kind like 'recovery_%') order by created_at, id`,
  );
}

export async function auditOf(app: TestApp, email: string): Promise<string[]> {
  const rows = await app.query(
    sql<{ kind: string }>`select a.kind from audit_events a join users u on u.id = a.user_id
      where u.email = ${email} order by a.at, a.id`,
  );
  return rows.map(({ kind }) => kind);
}

/** What signing in does once the password was right: many of these need no hash. */
export async function beginSignIn(app: TestApp, email: string): Promise<string> {
  const [user] = await app.query(
    sql<{ id: string; hash: string }>`select id, password_hash as hash from users where email = ${email}`,
  );
  const { id: userId, hash: passwordHash } = user ?? { id: '', hash: '' };
  const half = { userId, passwordHash, methods: ['pwd'], transport: 'bearer' } as const;
  return app.running.app.get(MfaChallenges, { strict: false }).begin(half);
}

export async function idOf(app: TestApp, email: string): Promise<string> {
  const [row] = await app.query(sql<{ id: string }>`select id from users where email = ${email}`);
  return row?.id ?? '';
}
