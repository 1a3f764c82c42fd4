import type { NestFastifyApplication } from '@nestjs/platform-fastify';

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | number | undefined>>;
  readonly text: string;
  /** The parsed body; an empty object for an empty one. */
  readonly body: Readonly<Record<string, any>>; // oxlint-disable-line typescript/no-explicit-any -- tests look into any reply
  /** The Set-Cookie values. */
  readonly setCookies: readonly string[];
}

type Method = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
type Headers = Readonly<Record<string, string | string[]>>;

/** Sends HTTP requests into the application, through its whole stack but the socket. */
export class Client {
  constructor(
    private readonly app: NestFastifyApplication,
    private readonly headers: Headers = {},
  ) {}

  /** A client that sends further headers with each request. */
  with(headers: Headers): Client {
    return new Client(this.app, { ...this.headers, ...headers });
  }

  get(url: string, headers: Headers = {}): Promise<Reply> {
    return this.send('GET', url, undefined, headers);
  }

  /** @param body sent as JSON; a string is sent as it is, as `application/json`. */
  post(url: string, body?: unknown, headers: Headers = {}): Promise<Reply> {
    return this.send('POST', url, body, headers);
  }

  async send(
    method: Method,
    url: string,
    body?: unknown,
    headers: Headers = {},
    remoteAddress?: string,
  ): Promise<Reply> {
    const hasBody = body !== undefined;
    const payload = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    const response = await this.app.inject({
      method,
      url,
      headers: {
        ...(hasBody && { 'content-type': 'application/json' }),
        ...this.headers,
        ...headers,
      } as Record<string, string>,
      ...(hasBody && { payload: payload as string }),
      ...(remoteAddress && { remoteAddress }),
    });
    const setCookie = response.headers['set-cookie'] ?? [];
    return {
      status: response.statusCode,
      headers: response.headers,
      text: response.body,
      body: parse(response.body),
      setCookies: [setCookie].flat() as string[],
    };
  }
}

/** The value that a reply sets for a cookie; undefined if it does not, or clears it. */
export function cookieValue(reply: Reply, name: string): string | undefined {
  const line = reply.setCookies.find((cookie) => cookie.startsWith(`${name}=`));
  return line?.slice(name.length + 1).split(';')[0] || undefined;
}

function parse(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return {};
  }
}
