import type { MikroORM } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { type Kysely, type QueryCreator, type RawBuilder, sql } from 'kysely';
import { DatabaseClock } from './database-clock.js';
import { DatabaseProbe, type ProbeListener } from './database-probe.js';
import type { OpenChannel } from './notification-channel.js';

/**
 * Where statements run: the pool, or one transaction. Inside a transaction, use only the value that `transaction`
 * provides: the embedded database has one connection, and a second one would wait forever.
 */
export interface Queries {
  /** Runs a statement with bound parameters and returns its rows. */
  query<Row>(statement: RawBuilder<Row>): Promise<Row[]>;
  /**
   * A query builder for these tables, whose wrong names and types do not compile. Each room has the type of its own tables
   * in `<room>.tables.ts`; for a join, `of<OneRoomsTables & AnotherRoomsTables>()`.
   */
  of<Tables extends object>(): QueryCreator<Tables>;
  /** Runs `work` immediately, or after the commit of the transaction, which waits for it. */
  afterCommit(work: () => Promise<void>): Promise<void>;
}

/** The database is closed; a late statement would open it again. */
class DatabaseClosed extends Error {}

/** The database, as the rest of the service sees it. Its clock decides times and single use. */
export class Database implements Queries {
  /** The database's time, for decisions outside of statements. */
  readonly clock = new DatabaseClock();
  private closing: Promise<void> | undefined;

  /**
   * @param openChannel opens a connection that receives notifications.
   * @param closeOrm closes the connections.
   * @param probe whether the database works; by default one of its connections is asked.
   */
  constructor(
    private readonly orm: MikroORM,
    readonly openChannel: OpenChannel,
    private readonly closeOrm: () => Promise<void> = () => orm.close(),
    private readonly probe = new DatabaseProbe(async () => {
      await sql`select 1`.execute(this.kysely);
    }),
  ) {}

  /** Stateless, so one instance is enough. */
  private get kysely(): Kysely<unknown> {
    if (this.closing) throw new DatabaseClosed('the database is closed');
    return (this.orm.em as SqlEntityManager).getKysely() as Kysely<unknown>;
  }

  query<Row>(statement: RawBuilder<Row>): Promise<Row[]> {
    return rowsOf(this.kysely, statement);
  }

  of<Tables extends object>(): QueryCreator<Tables> {
    return typed<Tables>(this.kysely);
  }

  afterCommit(work: () => Promise<void>): Promise<void> {
    return work();
  }

  /**
   * Commits when `work` resolves, rolls back when it throws.
   *
   * Uses the query builder, not the entity manager: if `begin` or `rollback` fails there, the entity manager never
   * releases the connection, and each broken connection would cost a place in the pool.
   */
  async transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    const behind: (() => Promise<void>)[] = [];
    let failure: { readonly cause: unknown } | undefined;
    const run = async (transaction: Kysely<unknown>) => {
      try {
        return await work({
          query: (statement) => rowsOf(transaction, statement),
          of: <Tables extends object>() => typed<Tables>(transaction),
          afterCommit: async (later) => void behind.push(later),
        });
      } catch (cause) {
        failure = { cause };
        throw cause;
      }
    };
    const result = await this.kysely
      .transaction()
      // Not the default of the server, database or role, which can be another.
      .setIsolationLevel('read committed')
      .execute(run)
      .catch((error: unknown) => {
        // The error of a rollback on a dead connection hides the cause.
        throw failure ? failure.cause : error;
      });
    for (const later of behind) await later();
    return result;
  }

  /** Idempotent: further calls wait for the same end. */
  close(): Promise<void> {
    this.probe.stop();
    this.closing ??= this.closeOrm();
    return this.closing;
  }

  /** @throws if the database does not work: as of the last second. */
  async check(): Promise<void> {
    if (this.closing) throw new DatabaseClosed('the database is closed');
    await this.probe.check();
  }

  /** Calls a listener when the database stops or starts to work. */
  onChange(listener: ProbeListener): void {
    this.probe.onChange(listener);
  }
}

function typed<Tables extends object>(kysely: QueryCreator<unknown>): QueryCreator<Tables> {
  return kysely as QueryCreator<Tables>;
}

async function rowsOf<Row>(kysely: Kysely<unknown>, statement: RawBuilder<Row>): Promise<Row[]> {
  const result = await statement.execute(kysely);
  return result.rows;
}
