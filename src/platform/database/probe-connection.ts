import type { Client } from 'pg';
import { assertWritable, type PostgresServer } from './postgres-server.js';

/** Milliseconds after which the probe connects again: an address can have moved. */
const LIFETIME = 10_000;

/** The connection on which the probe asks. It is opened when it is needed, and again after it was dropped. */
export class ProbeConnection {
  private client: Client | null = null;
  private openedAt = 0;
  private isClosed = false;

  constructor(private readonly server: PostgresServer) {}

  /** @throws NotWritable, or the driver's error if the server is unreachable. */
  async assertWritable(): Promise<void> {
    if (performance.now() - this.openedAt > LIFETIME) this.drop();
    this.client ??= await this.connect();
    await assertWritable(this.client);
  }

  /** Ends the connection; the next question opens another. */
  drop(): void {
    const { client } = this;
    this.client = null;
    end(client);
  }

  /** Ends the connection, also one that is being opened, so that it does not keep the process alive. */
  close(): void {
    this.isClosed = true;
    this.drop();
  }

  private async connect(): Promise<Client> {
    const client = await this.server.connect('traffy-probe');
    if (this.isClosed) {
      end(client);
      throw new Error('the probe is closed');
    }
    client.on('end', () => {
      if (this.client === client) this.client = null;
    });
    this.openedAt = performance.now();
    return client;
  }
}

function end(client: Client | null): void {
  void client?.end().catch(() => undefined);
}
