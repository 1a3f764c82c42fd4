import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';

export const root = join(import.meta.dirname, '..', '..', '..');

/** Any will do to migrate: no key is made. */
const SECRET = randomBytes(48).toString('base64');

/** The URL of another database on the same server. */
export function sibling(databaseUrl, name) {
  return Object.assign(new URL(databaseUrl), { pathname: `/${name}` }).href;
}

/** Runs work with a connection. */
export async function withClient(databaseUrl, work) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** Creates a database unless it exists. @returns whether it existed. */
export async function ensureDatabase(databaseUrl) {
  const name = decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
  return withClient(sibling(databaseUrl, 'postgres'), async (client) => {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (rowCount === 0)
      await client.query(`create database ${client.escapeIdentifier(name)} template template0`);
    return rowCount === 1;
  });
}

export async function dropDatabase(databaseUrl) {
  const name = decodeURIComponent(new URL(databaseUrl).pathname.slice(1));
  await withClient(sibling(databaseUrl, 'postgres'), (client) =>
    client.query(`drop database if exists ${client.escapeIdentifier(name)} with (force)`),
  );
}

/** Brings the schema up to date, by the built command line. */
export async function migrate(databaseUrl) {
  const child = spawn(process.execPath, [join(root, 'dist', 'src', 'cli', 'main.js'), 'migrate'], {
    cwd: root,
    env: { APP_ENV: 'test', AUTH_SECRETS: SECRET, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error('the migration failed: was it built (npm run build)?');
}
