/** A request and its answer, with secrets masked. */
export interface Exchange {
  readonly request: string;
  readonly sent: string;
  readonly status: number;
  readonly answer: string;
}

const SECRET = /token|password|secret/i;

/** Sends a request as the page does, and shows what went over the wire. */
export async function send(method: string, path: string, body?: object): Promise<Exchange> {
  const response = await fetch(path, {
    method,
    ...(body && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    request: `${method} ${path}`,
    sent: body ? masked(body) : '',
    status: response.status,
    answer: text === '' ? '' : masked(JSON.parse(text)),
  };
}

function masked(value: unknown): string {
  return JSON.stringify(value, hidden, 2);
}

function hidden(name: string, found: unknown): unknown {
  return typeof found === 'string' && SECRET.test(name) ? '…' : found;
}
