import type { RawBuilder } from 'kysely';
import { loadConfig, type Config } from '../../config/load.config.js';
import { createApp, type RunningApp } from '../../src/app.factory.js';
import { ENTITIES } from '../../src/entities.js';
import { openDatabase, type OpenDatabase } from '../../src/platform/database/open.database.js';
import { RevocationFeed } from '../../src/auth/revocation/revocation-feed.service.js';
import { giveBack, takeDatabase } from './database-pool.js';
import { createTestDatabase, onServer, type TestDatabase } from './database.js';
import { Client } from './client.js';
import { keepFewParsers } from './parsers.js';

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
  /** Runs a statement on the application's database, and lets the application process resulting revocations. */
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
  /** An existing database; its creator drops it. */
  readonly database?: TestDatabase;
  /** Starts also where its AUTH_STRATEGY does not fit what siblings run. */
  readonly force?: true;
  /** Hashes passwords with the parameters of the configuration; by default with the cheapest that argon2 computes. */
  readonly hashing?: 'production';
}

/** Production parameters take most of the CPU time of a run. The configuration refuses these: they are for tests. */
const CHEAP_HASHING = { ARGON2_MEMORY_KIB: 8, ARGON2_PASSES: 1, ARGON2_PARALLELISM: 1 };

/** A database for several applications, none of which has to outlive the others. */
export async function openShared(): Promise<Sharing & { close(): Promise<void> }> {
  const { testDatabase, open, release } = await ownDatabase();
  const { database } = loadConfig({ APP_ENV: 'test', AUTH_SECRETS: TEST_SECRET, ...testDatabase.env });
  const opened = open ?? (await openDatabase(database, ENTITIES, () => undefined));
  const close = async () => {
    if (!open) await opened.close();
    await release();
  };
  return { testDatabase, running: { database: opened }, close };
}

/** Where an application keeps its data, and what becomes of that when it closes. */
interface Place {
  readonly testDatabase: TestDatabase;
  /** Open already; the embedded database can be open once, on a server each node has its own connections. */
  readonly open?: OpenDatabase;
  release(): Promise<void>;
}

async function ownDatabase(): Promise<Place> {
  if (onServer) {
    const testDatabase = await createTestDatabase();
    return { testDatabase, release: () => testDatabase.drop() };
  }
  const pooled = await takeDatabase();
  let isGivenBack = false;
  const release = async () => {
    if (isGivenBack) return;
    isGivenBack = true;
    await giveBack(pooled);
  };
  return { ...pooled, release };
}

async function placeOf({ sibling, database }: TestAppOptions): Promise<Place> {
  const release = async () => undefined;
  if (sibling) {
    const { testDatabase, running } = sibling;
    return { testDatabase, release, ...(!onServer && { open: running.database }) };
  }
  return database ? { testDatabase: database, release } : ownDatabase();
}

/** The whole application on a database of its own, configured as an operator would: by environment variables. */
export async function startApp(options: TestAppOptions = {}): Promise<TestApp> {
  const { env = {}, force, hashing } = options;
  const { testDatabase, open, release } = await placeOf(options);
  const lines: string[] = [];
  const start = async () => {
    const loaded = loadConfig({
      APP_ENV: 'test',
      AUTH_SECRETS: TEST_SECRET,
      LOG_LEVEL: 'info',
      ...testDatabase.env,
      ...env,
    });
    const config =
      hashing === 'production' ? loaded : { ...loaded, password: { ...loaded.password, ...CHEAP_HASHING } };
    const running = await createApp(config, {
      logDestination: { write: (line) => void lines.push(line) },
      ...(open && { database: open }),
      ...(force && { onIncompatible: 'force' }),
    });
    if (!onServer && !open) await keepFewParsers(running.database.orm);
    return { config, running };
  };
  const { config, running } = await start().catch(async (error: unknown) => {
    await release();
    throw error;
  });
  const close = async () => {
    await running.close();
    await release();
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
      // Process changes that were made outside the application, so that tests need not wait.
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
