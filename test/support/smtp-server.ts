import type { AddressInfo, Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';

/**
 * How it treats who connects.
 *
 * | mode | does |
 * | --- | --- |
 * | `take` | takes every mail |
 * | `refuse` | refuses every recipient, for ever (550) |
 * | `defer` | refuses every recipient, for now (451) |
 * | `stall` | accepts the connection and never says a word |
 * | `stall_data` | takes the whole mail and never answers |
 * | `drop` | takes the whole mail, keeps nothing, and breaks the connection instead of an answer |
 * | `take_and_drop` | takes the mail, says so, and breaks the connection |
 * | `take_and_lose` | takes the mail, and breaks the connection before it says so |
 */
export type SmtpMode =
  'take' | 'refuse' | 'defer' | 'stall' | 'stall_data' | 'drop' | 'take_and_drop' | 'take_and_lose';

/** A mail that the server has taken. */
export interface ReceivedMail {
  /** The envelope, byte for byte. */
  readonly from: string;
  readonly to: readonly string[];
  /** Header fields by their names in lower case, unfolded. */
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly html: string;
  readonly source: string;
  readonly isEncrypted: boolean;
  readonly user: string | null;
}

export interface SmtpOptions {
  /** A user and a password that it wants. */
  readonly credentials?: { readonly user: string; readonly password: string };
  /** Whether it offers STARTTLS with an untrusted certificate. */
  readonly startTls?: true;
}

/** A real SMTP server on the loopback address, whose moods can be set. */
export class TestSmtpServer {
  /** What it took, in order. */
  readonly mails: ReceivedMail[] = [];
  mode: SmtpMode = 'take';
  /** The number of connections, and the maximum at the same time. */
  connections = 0;
  mostAtOnce = 0;
  private readonly sockets = new Map<string, Socket>();
  /** The text that clients wrote after RCPT TO: the library decodes Punycode. */
  private readonly recipients = new WeakMap<Socket, string[]>();
  private readonly server: SMTPServer;
  private port = 0;

  private constructor({ credentials, startTls }: SmtpOptions) {
    this.server = new SMTPServer({
      authOptional: credentials === undefined,
      allowInsecureAuth: true,
      disabledCommands: [...(startTls ? [] : ['STARTTLS']), ...(credentials ? [] : ['AUTH'])],
      disableReverseLookup: true,
      logger: false,
      closeTimeout: 0,
      onConnect: (_session, proceed) => {
        if (this.mode !== 'stall') proceed();
      },
      onAuth: ({ username, password }, _session, answer) => {
        const isRight = username === credentials?.user && password === credentials?.password;
        answer(isRight ? null : new Error('wrong credentials'), { user: username });
      },
      onRcptTo: (_address, _session, answer) => {
        if (this.mode === 'refuse') answer(Object.assign(new Error('no'), { responseCode: 550 }));
        else if (this.mode === 'defer') answer(Object.assign(new Error('later'), { responseCode: 451 }));
        else answer();
      },
      onData: (stream, session, answer) => void this.receive(stream, session, answer),
    });
    // A client that disconnects is no error here.
    this.server.on('error', () => undefined);
    this.server.server.on('connection', (socket: Socket) => this.note(socket));
  }

  static async start(options: SmtpOptions = {}): Promise<TestSmtpServer> {
    const server = new TestSmtpServer(options);
    await server.listen();
    return server;
  }

  /** What SMTP_URL says for it. */
  url(credentials = ''): string {
    return `smtp://${credentials}127.0.0.1:${this.port}`;
  }

  /** The mails to an address. */
  to(address: string): ReceivedMail[] {
    return this.mails.filter(({ to }) => to.includes(address));
  }

  /** Breaks every connection, and takes no more. */
  async stop(): Promise<void> {
    for (const socket of this.sockets.values()) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private listen(): Promise<void> {
    return new Promise((resolve) => {
      this.server.listen(0, '127.0.0.1', () => {
        this.port = (this.server.server.address() as AddressInfo).port;
        resolve();
      });
    });
  }

  private async receive(stream: Readable, session: SMTPServerSession, answer: () => void): Promise<void> {
    const { mode } = this;
    const socket = this.sockets.get(`${session.remotePort}`);
    const hangUp = () => void socket?.destroy();
    const source = await text(stream);
    if (mode === 'stall_data') return;
    if (mode === 'drop') return hangUp();
    const { mailFrom, rcptTo } = session.envelope;
    this.mails.push({
      from: mailFrom ? mailFrom.address : '',
      // With TLS only the decoded form is visible.
      to: (socket && this.recipients.get(socket)) ?? rcptTo.map(({ address }) => address),
      source,
      ...parse(source),
      isEncrypted: session.secure,
      user: (session.user as string | undefined) ?? null,
    });
    if (mode === 'take_and_lose') return hangUp();
    answer();
    if (mode === 'take_and_drop') setImmediate(hangUp);
  }

  private note(socket: Socket): void {
    const key = `${socket.remotePort}`;
    this.sockets.set(key, socket);
    this.connections += 1;
    this.mostAtOnce = Math.max(this.mostAtOnce, this.sockets.size);
    socket.once('close', () => this.sockets.delete(key));
    socket.on('data', (chunk: Buffer) => {
      for (const [, recipient = ''] of chunk.toString().matchAll(/^RCPT TO:<(.*?)>\r?$/gm))
        this.recipients.set(socket, [...(this.recipients.get(socket) ?? []), recipient]);
    });
  }
}

/** The header and the two bodies of a mail with text and HTML. */
function parse(source: string): Pick<ReceivedMail, 'headers' | 'text' | 'html'> {
  const [head = '', ...rest] = source.split('\r\n\r\n');
  const headers = fields(head);
  const boundary = /boundary="([^"]+)"/.exec(headers['content-type'] ?? '')?.[1] ?? 'none';
  const parts = rest.join('\r\n\r\n').split(`--${boundary}`);
  const body = (type: string) => {
    const part = parts.find((candidate) => candidate.includes(`Content-Type: ${type}`)) ?? '';
    const [partHead = '', ...content] = part.split('\r\n\r\n');
    return decode(fields(partHead)['content-transfer-encoding'] ?? '', content.join('\r\n\r\n')).trim();
  };
  return { headers, text: body('text/plain'), html: body('text/html') };
}

function fields(head: string): Record<string, string> {
  const lines = head
    .replace(/\r\n[ \t]+/g, ' ')
    .trim()
    .split('\r\n');
  return Object.fromEntries(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

function decode(encoding: string, content: string): string {
  if (encoding === 'base64') return Buffer.from(content, 'base64').toString();
  if (encoding !== 'quoted-printable') return content.replaceAll('\r\n', '\n');
  const bytes = content
    .replace(/=\r\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString().replaceAll('\r\n', '\n');
}
