import { z } from 'zod';
import { NOT_A_URL, readPostgresUrl } from './postgres-url.config.js';
import { wholeNumber, type Setting, type Values } from './setting.config.js';

const FORM =
  'a URL such as postgres://user:password@host:5432/database, special characters encoded as %40; several hosts as host1:5432,host2:5432';

const postgresUrl = z.string().superRefine((text, context) => {
  const flaw = readPostgresUrl(text);
  if (typeof flaw !== 'string') return;
  context.addIssue({ code: 'custom', message: flaw === NOT_A_URL ? FORM : `${FORM}; ${flaw}` });
});

export const databaseSettings = {
  DATABASE_URL: {
    schema: postgresUrl,
    defaultText: 'unset: embedded PostgreSQL in `DATA_DIR`; required in production',
    secret: true,
    meaning:
      'PostgreSQL server and database. `?sslmode=verify-full` requires TLS, `&sslrootcert=/path` names the CA. Of several hosts, ' +
      'the first that accepts writes is used. `?schema=name` chooses the schema of the tables.',
  },
  DATABASE_DIRECT_URL: {
    schema: postgresUrl,
    defaultText: '`DATABASE_URL`',
    secret: true,
    meaning:
      'The same database without the transaction pooler (such as PgBouncer): for migrations and for one LISTEN connection per process.',
  },
  DATABASE_POOL_SIZE: {
    schema: wholeNumber(2, 500),
    default: '10',
    meaning: 'Maximum number of PostgreSQL connections per process.',
  },
  DATA_DIR: {
    schema: z.string().regex(/^[^\0]+$/, { error: 'a folder' }),
    default: './data',
    meaning: 'Folder of the embedded database and of generated development secrets.',
  },
} satisfies Record<string, Setting>;

export type DatabaseConfig = Values<typeof databaseSettings>;
