import type { RawBuilder } from 'kysely';
import { loadConfig, type Config } from '../../config/load.config.js';
import { createApp, type RunningApp } from '../../src/app.factory.js';
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
  /** Runs a statement on the database behind the application. */
  query<Row>(statement: RawBuilder<Row>): Promise<Row[]>;
  /** Listens on a free port of the loopback address and gives its origin. */
  listen(): Promise<string>;
  /** Closes the application, and its database unless it was handed in. */
  close(): Promise<void>;
}

export interface TestAppOptions {
  /** Settings on top of those for tests. */
  readonly env?: Readonly<Record<string, string>>;
  /** An application to share the database with, as another node; its database is left when this one closes. */
  readonly sibling?: TestApp;
  /** A database made before; whoever made it drops it. */
  readonly database?: TestDatabase;
}

/** The whole application on a database of its own, configured as an operator would: by environment variables. */
export async function startApp({ env = {}, sibling, database }: TestAppOptions = {}): Promise<TestApp> {
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
    query: (statement) => running.database.database.query(statement),
    listen: async () => {
      await running.app.listen({ host: '127.0.0.1', port: 0 });
      const { port } = running.app.getHttpServer().address() as { port: number };
      return `http://127.0.0.1:${port}`;
    },
    close,
  };
}
