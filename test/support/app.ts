import type { RawBuilder } from 'kysely';
import { loadConfig, type Config } from '../../config/load.config.js';
import { createApp, type RunningApp } from '../../src/app.factory.js';
import { ENTITIES } from '../../src/entities.js';
import { openDatabase } from '../../src/database/open.database.js';
import { RevocationFeed } from '../../src/auth/sessions/revocation-feed.service.js';
import { createTestDatabase, onServer, type TestDatabase } from './database.js';
import { Client } from './client.js';

/** Long, random, and the same in every run: tests are repeatable. */
export const TEST_SECRET = 'kX2vQ9mT4wZ7rB1nY6cH8jL3pD5sF0gAuEiOxVqWtRz';

export interface TestApp {
  readonly config: Config;
  readonly running: RunningApp;
  readonly testDatabase: TestDatabase;
  /** Every log line so far, parsed. */
  readonly logs: Record<string, unknown>[];
  /** Every log line so far, as written. */
  readonly logText: () => string;
  /** A client without credentials; it keeps none by itself. */
  readonly client: Client;
  /** Runs a statement on the database behind the application, and lets the application hear what that revoked. */
  query<Row>(statement: RawBuilder<Row>): Promise<Row[]>;
  /** Listens on a free port of the loopback address and gives its origin. */
  listen(): Promise<string>;
  /** Closes the application, and its database unless it was handed in. */
  close(): Promise<void>;
}

/** What has a database that several applications can share. */
export interface Sharing {
  readonly testDatabase: TestDatabase;
  readonly running: Pick<RunningApp, 'database'>;
}

export interface TestAppOptions {
  /** Settings on top of those for tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** An application to share the database with, as another node; its database is left when this one closes. */
  readonly sibling?: Sharing;
  /** A database made before; whoever made it drops it. */
  readonly database?: TestDatabase;
  /** Starts also where its AUTH_STRATEGY does not fit what siblings run. */
  readonly force?: true;
}

/** A database for several applications, none of which has to outlive the others. */
export async function openShared(): Promise<Sharing & { close(): Promise<void> }> {
  const testDatabase = await createTestDatabase();
  const { database } = loadConfig({ APP_ENV: 'test', AUTH_SECRETS: TEST_SECRET, ...testDatabase.env });
  const open = await openDatabase(database, ENTITIES, () => undefined);
  const close = async () => {
    await open.close();
    await testDatabase.drop();
  };
  return { testDatabase, running: { database: open }, close };
}

/** The whole application on a database of its own, configured as an operator would: by environment variables. */
export async function startApp({
  env = {},
  sibling,
  database,
  force,
}: TestAppOptions = {}): Promise<TestApp> {
  const testDatabase = sibling?.testDatabase ?? database ?? (await createTestDatabase());
  const config = loadConfig({
    APP_ENV: 'test',
    AUTH_SECRETS: TEST_SECRET,
    LOG_LEVEL: 'info',
    ...testDatabase.env,
    ...env,
  });
  const lines: string[] = [];
  const running = await createApp(config, {
    logDestination: { write: (line) => void lines.push(line) },
    // The embedded database can be open once; on a server each node has its own connections.
    ...(sibling && !onServer && { database: sibling.running.database }),
    ...(force && { misfit: 'force' }),
  });
  const close = async () => {
    await running.close();
    if (!sibling && !database) await testDatabase.drop();
  };
  return {
    config,
    running,
    testDatabase,
    get logs() {
      return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    logText: () => lines.join(''),
    client: new Client(running.app),
    query: async (statement) => {
      const rows = await running.database.database.query(statement);
      // What was changed behind its back this node hears in a moment; a test need not wait for it.
      await running.app.get(RevocationFeed, { strict: false }).catchUp();
      return rows;
    },
    listen: async () => {
      await running.app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = running.app.getHttpServer().address() as { port: number };
      return `http://127.0.0.1:${port}`;
    },
    close,
  };
}
