import { createServer, connect, type Server, type Socket } from 'node:net';

/** A cable that can be cut: forwards connections to a server, drops them, or holds them without an answer. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private server: Server | null = null;
  private port = 0;
  private isHolding = false;

  private constructor(
    private readonly host: string,
    private targetPort: number,
  ) {}

  /** A proxy on a free port of the loopback address. */
  static async to(host: string, port: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(host, port);
    await proxy.start();
    return proxy;
  }

  url(scheme: string, rest = ''): string {
    return `${scheme}://127.0.0.1:${this.port}${rest}`;
  }

  /** The address of a URL replaced by the proxy's. */
  rewrite(url: string): string {
    const rewritten = new URL(url);
    rewritten.hostname = '127.0.0.1';
    rewritten.port = String(this.port);
    return rewritten.href;
  }

  /** Leads new connections elsewhere, as a moved address does: existing ones stay where they are. */
  moveTo(port: number): void {
    this.targetPort = port;
  }

  /** Listens again, on the same port. */
  async start(): Promise<void> {
    const server = createServer((client) => this.forward(client));
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as { port: number }).port;
    this.server = server;
    this.isHolding = false;
  }

  /** Drops every connection and refuses new ones. */
  async stop(): Promise<void> {
    const { server } = this;
    this.server = null;
    for (const socket of this.sockets) socket.destroy();
    if (server) await new Promise((resolve) => server.close(resolve));
  }

  /** Drops all bytes from now on: connections stay open without answers. */
  hold(): void {
    this.isHolding = true;
  }

  /** Bytes flow again, on new connections; what was held is dropped. */
  release(): void {
    this.isHolding = false;
    for (const socket of this.sockets) socket.destroy();
  }

  close(): Promise<void> {
    return this.stop();
  }

  private forward(client: Socket): void {
    const target = connect(this.targetPort, this.host);
    for (const [from, to] of [
      [client, target],
      [target, client],
    ] as const) {
      this.sockets.add(from);
      from.on('data', (chunk) => {
        if (!this.isHolding) to.write(chunk);
      });
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        to.destroy();
      });
    }
  }
}
