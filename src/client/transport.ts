import { TraffyError, type ProblemBody } from './client.errors.js';
import { type CredentialStore, type Held, withCookies } from './credential-store.js';
import { isBrowser, platform } from './platform.js';

export interface TransportOptions {
  readonly baseUrl: string;
  readonly fetch: typeof fetch;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly timeout: number;
  readonly store: CredentialStore;
}

export interface Message {
  readonly body?: unknown;
  readonly query?: object | undefined;
  readonly params?: object | undefined;
}

/**
 * Which credential a request carries: the `held` one; `cookies` alone; `all`, for replies that set cookies, which
 * browsers ignore for requests that omit them; `none`.
 */
export type Carrying = 'held' | 'cookies' | 'all' | 'none';

export interface Sent {
  /** The JSON body; undefined for an empty one. */
  readonly body: unknown;
  /** The access token that the request carried. */
  readonly token: string | undefined;
  /** The user of that token. */
  readonly email: string | undefined;
  /** The refusal; undefined for success. */
  readonly error?: TraffyError;
}

export type Send = (route: string, message?: Message, carrying?: Carrying) => Promise<Sent>;

/** Sends one request. Throws if no answer of Traffy arrives; a refusal is a value. */
export function createSend({ baseUrl, store, ...options }: TransportOptions): Send {
  const isSameOrigin = baseUrl === platform.location?.origin;

  return async (route, { body, query, params } = {}, carrying = 'held') => {
    const held = await store.read();
    const token = carrying === 'held' || carrying === 'all' ? held.access_token : undefined;
    const omitsCookies = carrying === 'none' || (carrying === 'held' && token);
    const [method = '', path = ''] = route.split(' ');
    const address = baseUrl + filled(path, params) + queryOf(query);
    const response = await connected(() =>
      options.fetch(address, {
        method,
        headers: {
          ...options.headers,
          ...(body ? { 'content-type': 'application/json' } : {}),
          ...(token && { authorization: `Bearer ${token}` }),
          ...(!omitsCookies && cookieHeader(held)),
        },
        ...(body ? { body: JSON.stringify(body) } : {}),
        credentials: omitsCookies ? 'omit' : isSameOrigin ? 'same-origin' : 'include',
        // The body of a request can be a password, and is for this server alone.
        redirect: 'manual',
        signal: timeoutSignal(options.timeout),
      }),
    );
    const text = await connected(() => response.text());
    if (!isBrowser()) await keepCookies(response);
    const answer = parse(response, text);
    return {
      body: answer,
      token,
      email: held.email,
      ...(!response.ok && { error: refusal(response, answer as ProblemBody) }),
    };
  };

  /** No browser keeps the cookies here. */
  async function keepCookies(response: Response): Promise<void> {
    const lines = response.headers.getSetCookie?.() ?? [];
    if (lines.length > 0) await store.update((held) => withCookies(held, lines));
  }
}

/** React Native has no `AbortSignal.timeout`, whose timer keeps no process of Node.js alive. */
function timeoutSignal(milliseconds: number): AbortSignal {
  if ('timeout' in AbortSignal) return AbortSignal.timeout(milliseconds);
  const controller = new AbortController();
  setTimeout(() => controller.abort(), milliseconds);
  return controller.signal;
}

async function connected<T>(request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (cause) {
    throw new TraffyError('network_error', 0, {}, undefined, cause);
  }
}

/** @throws TraffyError for anything but JSON: a proxy answered, or `baseUrl` is wrong. */
function parse(response: Response, text: string): unknown {
  if (text === '' && response.ok) return undefined;
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new TraffyError('unexpected_reply', response.status, {}, retryAfter(response), cause);
  }
}

function refusal(response: Response, problem: ProblemBody): TraffyError {
  return new TraffyError(problem.code ?? 'unexpected_reply', response.status, problem, retryAfter(response));
}

function retryAfter({ headers }: Response): number | undefined {
  return Number(headers.get('retry-after')) || undefined;
}

function cookieHeader({ cookies = {} }: Held): { cookie?: string } {
  const pairs = Object.entries(cookies).map(([name, value]) => `${name}=${value}`);
  return pairs.length > 0 ? { cookie: pairs.join('; ') } : {};
}

/** @throws TypeError for a value that would be another path. */
function filled(path: string, params: object = {}): string {
  return Object.entries(params).reduce((text, [name, value]) => {
    if (/^\.{0,2}$/.test(value)) throw new TypeError(`${name}: ${value}`);
    return text.replace(`{${name}}`, encodeURIComponent(String(value)));
  }, path);
}

function queryOf(query: object = {}): string {
  // JSON leaves out what is undefined.
  const search = new URLSearchParams(JSON.parse(JSON.stringify(query)) as Record<string, string>);
  return String(search) && `?${search}`;
}
