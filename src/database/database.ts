import type { MikroORM } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { CompiledQuery, type Kysely, type RawBuilder } from 'kysely';
import { DatabaseClock } from './database-clock.js';
import type { OpenChannel } from './notification-channel.js';

/**
 * Where statements go: the pool, or one transaction. Inside a transaction everything goes through the value that
 * `transaction` hands out: the embedded database has one connection, and a second one would wait for ever.
 */
export interface Queries {
  /** Runs one statement with bound parameters and gives its rows. */
  query<Row>(statement: RawBuilder<Row>): Promise<Row[]>;
  /** Runs this once what was written stands: at once, or behind the commit of the transaction, which waits for it. */
  afterCommit(work: () => Promise<void>): Promise<void>;
}

/** The database was closed; a late statement would open it again. */
export class DatabaseClosed extends Error {}

/** The database, as the rest of the service sees it. Times and single use are decided by its clock. */
export class Database implements Queries {
  /** Its time, for what is stamped or judged outside a statement. */
  readonly clock = new DatabaseClock();
  private closing: Promise<void> | undefined;

  /** @param openChannel opens a connection that hears notifications. */
  constructor(
    private readonly orm: MikroORM,
    readonly openChannel: OpenChannel,
  ) {}

  /**
   * A fresh entity manager.
   *
   * @throws DatabaseClosed
   */
  get em(): SqlEntityManager {
    return this.open.fork() as SqlEntityManager;
  }

  /** It keeps nothing of what it reads, so that one does for all. */
  private get kysely(): Kysely<unknown> {
    return this.open.getKysely() as Kysely<unknown>;
  }

  private get open(): SqlEntityManager {
    if (this.closing) throw new DatabaseClosed('the database is closed');
    return this.orm.em as SqlEntityManager;
  }

  query<Row>(statement: RawBuilder<Row>): Promise<Row[]> {
    return rowsOf(this.kysely, statement);
  }

  afterCommit(work: () => Promise<void>): Promise<void> {
    return work();
  }

  /**
   * Commits when `work` resolves, rolls back when it throws.
   *
   * By the query builder and not the entity manager: that one keeps a connection for ever once its `begin` or
   * `rollback` fails, so that each broken connection would cost a place in the pool.
   */
  async transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    const behind: (() => Promise<void>)[] = [];
    let failure: { readonly cause: unknown } | undefined;
    const run = async (transaction: Kysely<unknown>) => {
      try {
        return await work({
          query: (statement) => rowsOf(transaction, statement),
          afterCommit: async (later) => void behind.push(later),
        });
      } catch (cause) {
        failure = { cause };
        throw cause;
      }
    };
    const result = await this.kysely
      .transaction()
      .execute(run)
      .catch((error: unknown) => {
        // A rollback that fails on a dead connection says nothing of what went wrong.
        throw failure ? failure.cause : error;
      });
    for (const later of behind) await later();
    return result;
  }

  /** Once more waits for the same end. */
  close(): Promise<void> {
    this.closing ??= this.orm.close();
    return this.closing;
  }

  /** @throws when the database does not answer within the time. */
  async ping(timeoutMs: number): Promise<void> {
    if (this.closing) throw new DatabaseClosed('the database is closed');
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('the database did not answer in time')), timeoutMs);
    });
    const answer = this.orm.em.getConnection() as unknown as {
      getClient(): { executeQuery(query: CompiledQuery): Promise<unknown> };
    };
    try {
      await Promise.race([answer.getClient().executeQuery(CompiledQuery.raw('select 1')), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }
}

async function rowsOf<Row>(kysely: Kysely<unknown>, statement: RawBuilder<Row>): Promise<Row[]> {
  const result = await statement.execute(kysely);
  return result.rows;
}
