import { z } from 'zod';
import { wholeNumber, type Setting, type Values } from './setting.config.js';

const postgresUrl = z.string().refine(isPostgresUrl, {
  error: 'a URL such as postgres://user:password@host:5432/database, special characters written as %40',
});

export const databaseSettings = {
  DATABASE_URL: {
    schema: postgresUrl,
    defaultText: 'unset: embedded PostgreSQL in `DATA_DIR`; required in production',
    secret: true,
    meaning:
      'The PostgreSQL server and the database on it. `?sslmode=verify-full` asks for TLS, `&sslrootcert=/path` names the CA.',
  },
  DATABASE_DIRECT_URL: {
    schema: postgresUrl,
    defaultText: '`DATABASE_URL`',
    secret: true,
    meaning:
      'The same database past a pooler such as PgBouncer in transaction mode: for migrations, and for one connection a process that LISTENs, which such a pooler cannot carry.',
  },
  DATABASE_POOL_SIZE: {
    schema: wholeNumber(2, 500),
    default: '10',
    meaning: 'Connections to PostgreSQL a process opens at most.',
  },
  DATA_DIR: {
    schema: z.string().regex(/^[^\0]+$/, { error: 'a folder' }),
    default: './data',
    meaning: 'Folder of the embedded database and of generated development secrets.',
  },
} satisfies Record<string, Setting>;

export type DatabaseConfig = Values<typeof databaseSettings>;

function isPostgresUrl(text: string): boolean {
  if (!/^postgres(ql)?:\/\/[^/]/.test(text) || !URL.canParse(text)) return false;
  const { username, password, pathname } = new URL(text);
  try {
    decodeURIComponent(username + password);
    return decodeURIComponent(pathname).length > 1;
  } catch {
    return false;
  }
}
