type Answer = { readonly status?: number; readonly body?: object; readonly headers?: Record<string, string> };

/** The cookies of one browser and a server that answers by them: what tabs share. */
export interface FakeTraffy {
  readonly fetch: typeof fetch;
  /** Every request, such as `POST /refresh`. */
  readonly calls: string[];
  /** How each request was sent. */
  readonly requests: RequestInit[];
  /** The access token has expired; the refresh token is good. */
  expire(): void;
  /** Answers of a route in place of the usual ones, used one after the other. */
  answer(route: string, ...answers: Answer[]): void;
  count(route: string): number;
}

export const EMAIL = 'ada@example.com';
const problem = (status: number, code: string, action: string) => ({
  status,
  body: { code, action, detail: code },
});

/** @param transport where the tokens travel. */
export function fakeTraffy(transport: 'cookie' | 'bearer'): FakeTraffy {
  let version = 1;
  let live = 1;
  const calls: string[] = [];
  const requests: RequestInit[] = [];
  const planned = new Map<string, Answer[]>();
  const tokens = () => ({ access_token: `at${version}`, refresh_token: `rt${version}`, expires_in: 600 });
  const reply = () => ({
    success: true,
    email: EMAIL,
    session: { id: 's', strategy: 'jwt' },
    ...(transport === 'bearer' && tokens()),
  });

  function answerOf(route: string, { headers, body }: RequestInit): Answer {
    const next = planned.get(route)?.shift();
    if (next) return next;
    const { authorization } = (headers ?? {}) as Record<string, string>;
    const isLive =
      transport === 'cookie' ? live === version : authorization === `Bearer at${version}` && live === version;
    if (route === 'POST /login') return { body: reply() };
    if (route === 'POST /logout') return { body: { logged_in: false } };
    if (route === 'POST /refresh') {
      if (transport === 'bearer' && JSON.parse(String(body)).refresh_token !== `rt${version}`)
        return problem(401, 'refresh_reused', 'login');
      version += 1;
      live = version;
      return { body: transport === 'bearer' ? tokens() : {} };
    }
    if (route === 'GET /me')
      return { body: isLive ? { logged_in: true, email: EMAIL } : { logged_in: false, action: 'refresh' } };
    if (!isLive) return problem(401, 'credential_expired', 'refresh');
    if (route === 'POST /session/exchange') return { body: { ...reply(), access_token: undefined } };
    return { body: { route } };
  }

  return {
    calls,
    requests,
    fetch: async (input, init = {}) => {
      const route = `${init.method} ${new URL(String(input)).pathname}`;
      calls.push(route);
      requests.push(init);
      const { status = 200, body = {}, headers = {} } = answerOf(route, init);
      // Answers take a moment, so that tabs overlap.
      await new Promise((resolve) => setImmediate(resolve));
      return Response.json(body, { status, headers });
    },
    expire: () => {
      live = 0;
    },
    answer: (route, ...answers) => void planned.set(route, answers),
    count: (route) => calls.filter((call) => call === route).length,
  };
}
