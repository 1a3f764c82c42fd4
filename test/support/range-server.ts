import { createHash } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a client asked. */
interface RangeRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** How a server behaves: as it should, or like those that do not. */
type RangeBehaviour = 'answers' | 'fails' | 'hangs' | 'redirects' | 'floods' | 'talks';

export interface RangeServer {
  readonly url: string;
  readonly requests: RangeRequest[];
  behaviour: RangeBehaviour;
  /** Listed passwords with their number of leaks; 0 is padding. */
  readonly leaked: Map<string, number>;
  close(): Promise<void>;
}

/** A server on the loopback address that speaks the k-anonymity range protocol of Have I Been Pwned, padding included. */
export async function startRangeServer(): Promise<RangeServer> {
  const requests: RangeRequest[] = [];
  const leaked = new Map<string, number>();
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      requests.push({ method, url, headers, body: Buffer.concat(chunks).toString() });
      BEHAVIOURS[range.behaviour](response, url, leaked);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const range: RangeServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    leaked,
    behaviour: 'answers',
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return range;
}

const BEHAVIOURS: Readonly<
  Record<RangeBehaviour, (response: ServerResponse, url: string, leaked: Map<string, number>) => void>
> = {
  answers: (response, url, leaked) => {
    const prefix = /^\/range\/([0-9A-F]{5})$/.exec(url)?.[1];
    if (prefix === undefined)
      return void response.writeHead(400).end('The hash prefix was not in a valid format');
    const lines = [...leaked].flatMap(([password, count]) => {
      const digest = sha1(password);
      return digest.startsWith(prefix) ? [`${digest.slice(5)}:${count}`] : [];
    });
    for (let index = 0; index < 800; index += 1) {
      lines.push(`${sha1(`${prefix}${index}`).slice(5)}:${index % 2 === 0 ? 0 : index}`);
    }
    response.writeHead(200, { 'content-type': 'text/plain' }).end(lines.toSorted().join('\r\n'));
  },
  fails: (response) => void response.writeHead(500).end(),
  hangs: (response) => void response.writeHead(200).write('0'),
  redirects: (response) => void response.writeHead(302, { location: '/range/AAAAA' }).end(),
  floods: (response) => void response.writeHead(200).end(`${'A'.repeat(35)}:1\r\n`.repeat(60_000)),
  talks: (response) => void response.writeHead(200).end('<html>Please sign in to this network</html>'),
};

/** SHA-1 in upper-case hex, as the protocol has it. */
export function sha1(text: string): string {
  return createHash('sha1').update(text).digest('hex').toUpperCase();
}
