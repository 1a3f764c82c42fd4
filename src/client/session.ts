import { TraffyError } from './client.errors.js';
import type { Held } from './credential-store.js';
import { type Exclusive, single } from './lock.js';
import type { Body, Reply } from './routes.js';
import type { SharedState } from './sign-in-state.js';
import { type Carrying, createSend, type Message, type Sent, type TransportOptions } from './transport.js';

type LoginReply = Reply<'POST /login'>;
type MeReply = Reply<'GET /me'>;
/** The calls that sign in. */
type SignInRoute = 'POST /login' | 'POST /mfa' | 'POST /passkeys/authentication/verify';

/** A finished sign-in. */
export type SignedIn = { readonly status: 'signed_in' } & Pick<LoginReply, 'email' | 'session'>;

/** How the credential travels: tokens for scripts, or cookies that scripts cannot read. */
export type Transport = 'bearer' | 'cookie';

export interface SessionOptions extends TransportOptions {
  readonly transport: Transport;
  readonly exclusive: Exclusive;
  readonly state: SharedState;
  /** When the credential was last exchanged, in milliseconds since 1970. */
  readonly exchangedAt: { get(): number; set(time: number): void };
  /** Milliseconds between two exchanges. */
  readonly exchangeInterval: number;
}

/** The credential of one sign-in. */
export interface Session {
  /** Sends a request. If its credential has expired or was replaced, renews that and sends the request once more. */
  request(route: string, message?: Message): Promise<unknown>;
  signIn<R extends SignInRoute>(route: R, body: Omit<Body<R>, 'transport'>): Promise<SignedIn>;
  signOut(): Promise<void>;
  /** Drops the credential of a session that the server has ended. */
  forget(): Promise<void>;
  me(): Promise<MeReply>;
  exchange(): Promise<void>;
  /** Returns null if the credential is not a token. */
  accessToken(): Promise<string | null>;
  /** Renews the access token before it is handed out again: its claims are not those of the session any more. */
  outdate(): Promise<void>;
}

/** An access token with less time left is renewed before it is handed out, in milliseconds. */
const TOKEN_MARGIN = 30_000;
/** The session has ended, whatever the server accepts later. */
const ENDED = /_(revoked|reused|expired)$/;

/** Keeps the credential of a sign-in live, whatever its kind. */
export function createSession({
  transport,
  exclusive,
  state,
  exchangedAt,
  exchangeInterval,
  ...options
}: SessionOptions): Session {
  const { store } = options;
  const send = createSend(options);
  /** One renewal at a time, for all requests and all tabs. */
  const renewed = single((token: string | undefined, error?: TraffyError) =>
    exclusive(() => renew(token, error)),
  );

  async function request(route: string, message?: Message): Promise<unknown> {
    const known = state.get();
    let sent = await send(route, message);
    const user = sent.email ?? known.email;
    if (sent.error && isRenewable(sent.error) && (await renewed(sent.token, sent.error))) {
      // Another tab may have signed in another user, who did not ask for this.
      const now = (await store.read()).email ?? state.get().email;
      if (!user || user === now) sent = await send(route, message);
    }
    // A sign-in of this moment is newer than this answer.
    if (sent.error?.code === 'authentication_required' && state.get() === known) signedOut();
    const body = bodyOf(sent);
    void exchangeIfDue();
    return body;
  }

  /**
   * @param token of the request that failed; undefined if a cookie carried its credential.
   * @returns whether the request can succeed now.
   */
  async function renew(token: string | undefined, error?: TraffyError): Promise<boolean> {
    const held = await store.read();
    // Another request or tab renewed it.
    if (held.access_token !== token) return true;
    try {
      if (!token) return (await renewCookies()) || (await ended(error));
      if (error && error.problem.action !== 'refresh') return await ended(error);
      const { refresh_token } = held;
      await keepTokens(await ask('POST /refresh', { body: { refresh_token } }, 'none'), held);
      return true;
    } catch (refused) {
      if (isRefusal(refused)) await ended(refused);
      throw refused;
    }
  }

  /** Asks first: another tab may have renewed the cookies, which scripts cannot see. */
  async function renewCookies(): Promise<boolean> {
    const now = await ask<MeReply>('GET /me');
    if (now.logged_in) state.set({ status: 'signed_in', email: now.email });
    if (now.logged_in || now.action !== 'refresh') return now.logged_in;
    const { error } = await send('POST /refresh');
    if (!error) return true;
    if (error.status === 401 && (await ask<MeReply>('GET /me')).logged_in) return true;
    throw error;
  }

  async function ended(refusal?: TraffyError): Promise<false> {
    if (refusal && ENDED.test(refusal.code)) {
      // The server alone can clear the cookies.
      if (!(await store.read()).access_token) await send('POST /logout').catch(() => undefined);
      await forget();
    }
    signedOut();
    return false;
  }

  async function askMe(): Promise<MeReply> {
    const known = state.get();
    let { reply, token } = await answerOf();
    if (
      !reply.logged_in &&
      reply.action &&
      (reply.action === 'refresh' || (await store.read()).access_token !== token)
    ) {
      try {
        if (await renewed(token)) ({ reply } = await answerOf());
      } catch (error) {
        if (!isRefusal(error)) throw error;
        reply = { logged_in: false, action: 'login' };
      }
    }
    // A sign-in or sign-out of this moment is newer than this answer.
    if (state.get() === known) {
      if (reply.logged_in) state.set({ status: 'signed_in', email: reply.email });
      else signedOut();
    }
    void exchangeIfDue();
    return reply;
  }

  async function answerOf(): Promise<{ reply: MeReply; token: string | undefined }> {
    const sent = await send('GET /me');
    return { reply: bodyOf(sent) as MeReply, token: sent.token };
  }

  function signIn<R extends SignInRoute>(route: R, body: Omit<Body<R>, 'transport'>): Promise<SignedIn> {
    return exclusive(async () => {
      const travelling = route === 'POST /mfa' ? body : { ...body, transport };
      const reply = await ask<LoginReply>(route, { body: travelling }, 'all');
      const { email, session } = reply;
      if (!(await keepTokens(reply, { email, strategy: session.strategy }))) await store.update(cookiesOf);
      exchangedAt.set(Date.now());
      state.set({ status: 'signed_in', email });
      return { status: 'signed_in', email, session };
    });
  }

  function signOut(): Promise<void> {
    return exclusive(async () => {
      const { refresh_token } = await store.read();
      await ask('POST /logout', refresh_token ? { body: { refresh_token } } : {});
      await forget();
    });
  }

  async function forget(): Promise<void> {
    await store.update(() => ({}));
    signedOut();
  }

  function signedOut(): void {
    state.set({ status: 'signed_out' });
  }

  function exchange(): Promise<void> {
    return exclusive(async () => {
      const held = await store.read();
      const reply = await ask<LoginReply>('POST /session/exchange', { body: { transport } }, 'all');
      const { email, session } = reply;
      const { strategy } = session;
      if ((await keepTokens(reply, { email, strategy })) || !held.access_token || held.strategy === strategy)
        return;
      // The new credential is a cookie. Drop the tokens after it was used: a browser may not have stored it.
      const now = await ask<MeReply>('GET /me', {}, 'cookies');
      if (now.logged_in && now.email === email) await store.update(cookiesOf);
    });
  }

  async function exchangeIfDue(): Promise<void> {
    const last = exchangedAt.get();
    if (Math.abs(Date.now() - last) < exchangeInterval) return;
    exchangedAt.set(Date.now());
    try {
      const holdsAny = Object.keys(await store.read()).length > 0;
      if (state.get().status === 'signed_in' || holdsAny) return await exchange();
      exchangedAt.set(last);
    } catch (error) {
      if (!isRefusal(error)) exchangedAt.set(last);
    }
  }

  async function accessToken(): Promise<string | null> {
    const { access_token, expires_at = 0 } = await store.read();
    if (access_token && expires_at < Date.now() + TOKEN_MARGIN) await renewed(access_token);
    return (await store.read()).access_token ?? null;
  }

  /** Takes its turn: a renewal under way can return a token of before. */
  function outdate(): Promise<void> {
    return exclusive(() => store.update(({ expires_at: _replaced, ...held }) => held));
  }

  /** @returns false if the reply has no tokens. */
  async function keepTokens(
    { access_token, refresh_token, expires_in = 0 }: Partial<LoginReply>,
    { email, strategy }: Held,
  ): Promise<boolean> {
    if (!access_token) return false;
    const expires_at = Date.now() + expires_in * 1000;
    await store.update(() => ({
      access_token,
      expires_at,
      ...(refresh_token && { refresh_token }),
      ...(email && { email }),
      ...(strategy && { strategy }),
    }));
    return true;
  }

  async function ask<T>(route: string, message?: Message, carrying?: Carrying): Promise<T> {
    return bodyOf(await send(route, message, carrying)) as T;
  }

  return {
    request,
    signIn,
    signOut,
    forget,
    me: single(askMe),
    exchange,
    accessToken,
    outdate,
  };
}

function bodyOf({ body, error }: Sent): unknown {
  if (error) throw error;
  return body;
}

function cookiesOf({ cookies }: Held): Held {
  return cookies ? { cookies } : {};
}

function isRefusal(error: unknown): error is TraffyError {
  return error instanceof TraffyError && error.status === 401;
}

/** Whether a request was refused because of its credential, and not for what it asked. */
function isRenewable({ status, code, problem }: TraffyError): boolean {
  return status === 401 && (problem.action === 'refresh' || code.startsWith('credential_'));
}
