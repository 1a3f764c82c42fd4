import type { Client, ClientConfig } from 'pg';
import { CHANNEL_TIMEOUTS, columnTypes } from '../../../config/mikro-orm.config.js';
import type { PostgresTarget, PostgresUrl } from '../../../config/postgres-url.config.js';
import { makesUseless } from './useless-connection.js';

/** What every session is to have, in addition to what its server decides. */
export interface SessionSettings {
  /** Command-line options of the connection; a transaction pooler does not pass them on. */
  readonly options: string;
  /** Statements at the begin of each transaction, if a pooler is in between; empty if nothing has to be set. */
  readonly local: string;
}

/** The server is a standby, or read-only. */
export class NotWritable extends Error {
  readonly code = '25006';
}

/** Whether a server can write. */
const IS_READ_ONLY = `select pg_is_in_recovery() or current_setting('transaction_read_only') = 'on' as no`;

/** @throws NotWritable if the server of a connection cannot write. */
export async function assertWritable(client: Pick<Client, 'query'>): Promise<void> {
  const { rows } = await client.query<{ no: boolean }>(IS_READ_ONLY);
  if (rows[0]?.no !== false) throw new NotWritable('the server is a standby or read-only');
}

/**
 * The connections to the server of one URL. With several hosts, or an encryption that depends on the server, it chooses
 * where new connections go; the driver can do neither.
 */
export class PostgresServer {
  /** The class of its connections, for a pool. */
  readonly Client: typeof Client;
  settings: SessionSettings = { options: '', local: '' };
  private readonly open = new Set<Client>();
  private target: PostgresTarget;
  private choosing: Promise<void> | null = null;
  /** Called when a connection turned out to be useless. */
  private onUseless: () => void = () => undefined;

  private constructor(
    readonly url: PostgresUrl,
    Base: typeof Client,
    private readonly types: NonNullable<ClientConfig['types']>,
  ) {
    [this.target] = url.targets;
    this.Client = this.deriveClient(Base);
  }

  static async of(url: PostgresUrl): Promise<PostgresServer> {
    const { default: pg } = await import('pg');
    return new PostgresServer(url, pg.Client, await columnTypes());
  }

  /** @returns an open connection outside the pool. */
  async connect(name: string): Promise<Client> {
    const client = new this.Client({
      application_name: name,
      types: this.types,
      keepAlive: true,
      connectionTimeoutMillis: CHANNEL_TIMEOUTS.connect,
      query_timeout: CHANNEL_TIMEOUTS.query,
    });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return client;
    } catch (error) {
      await client.end().catch(() => undefined);
      throw error;
    }
  }

  /**
   * Chooses the first host that accepts writes for new connections. Concurrent calls share one choice.
   *
   * @throws the error of the last host if none does.
   */
  choose(): Promise<void> {
    if (this.url.targets.length === 1) return Promise.resolve();
    this.choosing ??= this.findTarget().finally(() => (this.choosing = null));
    return this.choosing;
  }

  /** Destroys every connection: the server behind them is not the one that writes. */
  evict(): void {
    for (const client of this.open) destroy(client);
  }

  whenUseless(listener: () => void): void {
    this.onUseless = listener;
  }

  private async findTarget(): Promise<void> {
    const before = this.target;
    let failure: unknown;
    for (const target of this.url.targets) {
      this.target = target;
      let client: Client | undefined;
      try {
        client = await this.connect('traffy-probe');
        await assertWritable(client);
        return;
      } catch (error) {
        failure = error;
      } finally {
        await client?.end().catch(() => undefined);
      }
    }
    this.target = before;
    throw failure;
  }

  private deriveClient(Base: typeof Client): typeof Client {
    const server = this; // oxlint-disable-line typescript/no-this-alias, unicorn/no-this-assignment -- the class is the driver's to create
    return class extends Base {
      private isInTransaction = false;

      constructor(config?: string | ClientConfig) {
        const given = typeof config === 'object' ? config : {};
        const { url: connectionString, ssl } = server.target;
        const { options } = server.settings;
        super({ ...given, connectionString, ...(ssl !== undefined && { ssl }), ...(options && { options }) });
        server.open.add(this);
        this.once('end', () => server.open.delete(this));
      }

      // Passes all overloads through.
      override query(...parameters: unknown[]): never {
        const [text, , callback] = parameters;
        const answer =
          server.settings.local !== '' && typeof text === 'string' && typeof callback !== 'function'
            ? this.queryWithSettings(text, parameters)
            : this.send(parameters);
        if (answer instanceof Promise) answer.catch((error: unknown) => this.judge(error));
        return answer as never;
      }

      private send(parameters: unknown[]): unknown {
        return (super.query as (...all: unknown[]) => unknown).apply(this, parameters);
      }

      /** A pooler gives each transaction another session: the settings are part of the transaction. */
      private async queryWithSettings(text: string, parameters: unknown[]): Promise<unknown> {
        const { local } = server.settings;
        if (/^(?:begin|start transaction)\b/i.test(text)) {
          this.isInTransaction = true;
          return this.send([`${text}; ${local}`]);
        }
        if (/^(?:commit|rollback)$/i.test(text)) this.isInTransaction = false;
        if (this.isInTransaction || /^(?:commit|rollback)\b/i.test(text)) return this.send(parameters);
        await this.send([`begin isolation level read committed; ${local}`]);
        try {
          const result = await this.send(parameters);
          await this.send(['commit']);
          return result;
        } catch (error) {
          await (this.send(['rollback']) as Promise<unknown>).catch(() => undefined);
          throw error;
        }
      }

      private judge(error: unknown): void {
        if (!makesUseless(error)) return;
        destroy(this);
        server.onUseless();
      }
    };
  }
}

function destroy(client: Client): void {
  client.connection.stream.destroy();
}
