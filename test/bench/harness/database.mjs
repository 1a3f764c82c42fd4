import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** The PostgreSQL server to measure on, or what to tell the one who did not name it. */
export function databaseServer() {
  const url = process.env['BENCH_DATABASE_URL'];
  if (url) return url;
  throw new Error(
    'BENCH_DATABASE_URL names no PostgreSQL server. Each target gets a database of its own there, and it is dropped at the ' +
      'end: BENCH_DATABASE_URL=postgres://user:password@127.0.0.1:5432/postgres, with a role that may create databases',
  );
}

/** An empty database on a server: its URL, and `drop`, which also ends the connections that others have to it. */
export async function createDatabase(server) {
  const name = `traffy_bench_${randomBytes(6).toString('hex')}`;
  const ask = async (statement) => {
    const client = new pg.Client({ connectionString: server });
    await client.connect();
    try {
      return await client.query(statement);
    } finally {
      await client.end();
    }
  };
  await ask(`create database ${name} template template0`);
  return {
    url: Object.assign(new URL(server), { pathname: `/${name}` }).href,
    drop: () => ask(`drop database if exists ${name} with (force)`),
  };
}

/** The version of a server, as `15.14`. */
export async function serverVersion(server) {
  const client = new pg.Client({ connectionString: server });
  await client.connect();
  const { rows } = await client.query('show server_version');
  await client.end();
  return rows[0]['server_version'].split(' ')[0];
}
