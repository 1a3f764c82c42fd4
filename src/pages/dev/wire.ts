/** A request and its answer, with secrets masked. */
export interface Exchange {
  readonly request: string;
  readonly sent: string;
  readonly status: number;
  readonly answer: string;
}

const SECRET = /token|password|secret/i;

/** Fetches, and tells what went over the wire. */
async function observed(path: string, init: RequestInit): Promise<[Response, Exchange]> {
  const response = await fetch(path, init);
  const text = await response.clone().text();
  const { method = 'GET', body } = init;
  return [
    response,
    {
      request: `${method} ${new URL(path, location.origin).pathname}`,
      sent: typeof body === 'string' ? masked(JSON.parse(body)) : '',
      status: response.status,
      answer: text === '' ? '' : masked(JSON.parse(text)),
    },
  ];
}

/** Sends a request as the page does, and shows what went over the wire. */
export async function send(method: string, path: string, body?: object): Promise<Exchange> {
  const [, exchange] = await observed(path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return exchange;
}

/** What a client with this `fetch` sent last, by method and path. */
export const wireOfClient = new Map<string, Exchange>();

export async function watchedFetch(url: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const [response, exchange] = await observed(String(url), init);
  wireOfClient.set(exchange.request, exchange);
  return response;
}

function masked(value: unknown): string {
  return JSON.stringify(value, hidden, 2);
}

function hidden(name: string, found: unknown): unknown {
  return typeof found === 'string' && SECRET.test(name) ? '…' : found;
}
