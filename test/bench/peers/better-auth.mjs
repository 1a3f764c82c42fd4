/**
 * better-auth in an Express server, on PostgreSQL, as its documentation has it; `--cookie-cache` turns on what its guide to
 * performance recommends. Joins, which it says make get-session quicker, are on. With `--migrate` it makes its tables first.
 */
import { randomBytes } from 'node:crypto';
import argon2 from 'argon2';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import express from 'express';
import pg from 'pg';

const ARGON2 = { type: argon2.argon2id, memoryCost: 19_456, timeCost: 2, parallelism: 1 };

const auth = betterAuth({
  baseURL: 'https://auth.example.com',
  secret: randomBytes(32).toString('base64'),
  database: new pg.Pool({ connectionString: process.env['DATABASE_URL'] }),
  emailAndPassword: {
    enabled: true,
    password: {
      hash: (password) => argon2.hash(password, ARGON2),
      verify: ({ hash, password }) => argon2.verify(hash, password),
    },
  },
  session: { cookieCache: { enabled: process.argv.includes('--cookie-cache'), maxAge: 5 * 60 } },
  // Counts as it does by default in production, and never refuses what is measured.
  rateLimit: { window: 60, max: 100_000_000 },
  advanced: { database: { joins: true } },
  telemetry: { enabled: false },
});

if (process.argv.includes('--migrate')) {
  const { runMigrations } = await getMigrations(auth.options);
  await runMigrations();
}

const app = express();
app.all('/api/auth/*splat', toNodeHandler(auth));
app.listen(Number(process.env['PORT']), '127.0.0.1');
