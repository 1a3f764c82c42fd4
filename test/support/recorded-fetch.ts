/** A `fetch` that sends everything to one origin, and records what was sent. */
export interface Recorder {
  readonly fetch: typeof fetch;
  /** Every answered request so far, such as `GET /me 200`. */
  readonly calls: string[];
  /** The headers that carry the credential of the last reply to a route. */
  last(route: string): { headers: Record<string, string> };
  /** Where requests go from now on. */
  redirect(origin: string): void;
  /** Answers in place of the server; undefined ends that. */
  fail(answer: (() => Promise<Response>) | undefined): void;
}

export function recorder(firstOrigin: string): Recorder {
  let origin = firstOrigin;
  let failure: (() => Promise<Response>) | undefined;
  const calls: string[] = [];
  const replies = new Map<string, { headers: Record<string, string> }>();
  return {
    calls,
    fetch: async (input, init) => {
      if (failure) return failure();
      const { pathname, search } = new URL(String(input));
      const route = `${init?.method ?? 'GET'} ${pathname}`;
      const response = await fetch(origin + pathname + search, init);
      calls.push(`${route} ${response.status}`);
      replies.set(route, { headers: await credentialOf(response.clone()) });
      return response;
    },
    last: (route) => {
      const reply = replies.get(route);
      if (!reply) throw new Error(`no reply to ${route}`);
      return reply;
    },
    redirect: (to) => {
      origin = to;
    },
    fail: (answer) => {
      failure = answer;
    },
  };
}

async function credentialOf(response: Response): Promise<Record<string, string>> {
  const text = await response.text();
  const token = text.startsWith('{')
    ? (JSON.parse(text) as { access_token?: string }).access_token
    : undefined;
  if (token !== undefined) return { authorization: `Bearer ${token}` };
  const pairs = response.headers.getSetCookie().flatMap((line) => line.split(';', 1));
  return { cookie: pairs.filter((pair) => !pair.endsWith('=')).join('; ') };
}
