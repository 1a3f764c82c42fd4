import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';

export type Headers = Readonly<Record<string, string | readonly string[]>>;

/** What came back, on a connection of its own. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

export interface Call {
  readonly method?: string;
  readonly headers?: Headers;
  /** Sent as it is; in chunks where `isChunked`. */
  readonly body?: string;
  readonly isChunked?: true;
  /** The address of this machine that it comes from. */
  readonly from?: string;
}

/** A request on a connection of its own, with its path and header fields exactly as given. */
export function send(
  { host, port }: { host: string; port: number },
  path: string,
  { method = 'GET', headers = {}, body, isChunked, from }: Call = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body !== undefined && !isChunked && { 'content-length': String(Buffer.byteLength(body)) };
    const outgoing = request({
      host,
      port,
      path,
      method,
      agent: false,
      timeout: 20_000,
      ...(from !== undefined && { localAddress: from }),
      headers: { ...length, ...(headers as IncomingHttpHeaders) },
    });
    outgoing.on('response', (incoming) => {
      let text = '';
      incoming.on('data', (chunk: Buffer) => (text += chunk.toString()));
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, text }),
      );
    });
    outgoing.on('upgrade', ({ statusCode = 0, headers: received }, socket) => {
      socket.destroy();
      resolve({ status: statusCode, headers: received, text: '' });
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** What reached a server. */
export interface Received {
  readonly method: string | undefined;
  readonly url: string | undefined;
  /** What a program that takes `_` for `-` sees under the names that begin with X-Auth, duplicates included. */
  readonly identity: Readonly<Record<string, readonly string[]>>;
  readonly headers: IncomingHttpHeaders;
  body: string;
}

function receive({ method, url, headers, rawHeaders }: IncomingMessage): Received {
  const identity: Record<string, string[]> = {};
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = String(rawHeaders[index]).toLowerCase().replaceAll('_', '-');
    if (name.startsWith('x-auth')) (identity[name] ??= []).push(String(rawHeaders[index + 1]));
  }
  return { method, url, headers, identity, body: '' };
}

/** The application behind the proxy: it records every request and trusts it. */
export class Application {
  received: Received[] = [];
  private readonly server: Server = createServer((incoming, outgoing) => {
    const received = receive(incoming);
    this.received.push(received);
    incoming.on('data', (chunk: Buffer) => (received.body += chunk.toString()));
    incoming.on('end', () => outgoing.end('the application'));
  });

  async start(): Promise<string> {
    this.server.on('upgrade', (incoming: IncomingMessage, socket) => {
      this.received.push(receive(incoming));
      socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n');
    });
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  close(): Promise<void> {
    this.server.closeAllConnections();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }
}
