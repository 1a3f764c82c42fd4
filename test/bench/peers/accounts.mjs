/** Accounts as a small Express application keeps them: a table, argon2id with the parameters that Traffy uses. */
import argon2 from 'argon2';
import pg from 'pg';

export const ARGON2 = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

export const pool = new pg.Pool({ connectionString: process.env['DATABASE_URL'] });
await pool.query(`
  create table if not exists users (
    id uuid primary key default gen_random_uuid(),
    email text not null unique,
    password_hash text not null
  )`);

export async function signUp({ email, password }) {
  const hash = await argon2.hash(password, ARGON2);
  await pool.query('insert into users (email, password_hash) values ($1, $2)', [email, hash]);
}

/** @returns the account, or null if the password is not its. */
export async function verifyPassword({ email, password }) {
  const { rows } = await pool.query('select id, email, password_hash from users where email = $1', [email]);
  const [user] = rows;
  if (!user || !(await argon2.verify(user.password_hash, password))) return null;
  return { id: user.id, email: user.email };
}
