import { TraffyError } from './client.errors.js';
import { credentialStore, type CredentialStorage, memoryStorage } from './credential-store.js';
import { inProcess, overTabs, single } from './lock.js';
import { isBrowser, platform, sharedStorage } from './platform.js';
import type { Body, CallArguments, Reply, Route } from './routes.js';
import { createSession, type SignedIn, type Transport } from './session.js';
import { type SignInState, sharedState } from './sign-in-state.js';
import type { Message } from './transport.js';

/** A second factor. */
export type Factor = Omit<Body<'POST /mfa'>, 'mfa_token'>;
/** What proves the identity of the user for a sensitive call. */
export type Proof = Body<'POST /reauthenticate'>;

/** The server asks for more than the credential. */
export interface Challenge {
  /** `mfa`: to complete a sign-in; `step_up`: for a sensitive call. */
  readonly type: 'mfa' | 'step_up';
  /** The factors that the account has; undefined where the server has not said it yet. */
  readonly factors: readonly string[] | undefined;
  /** For the options of a passkey, at a sign-in. */
  readonly mfaToken: string | undefined;
  /** Why the last answer was refused. */
  readonly error: TraffyError | undefined;
}

/** The password is correct; `client.mfa` completes the sign-in. */
export interface MfaRequired {
  readonly status: 'mfa_required';
  readonly mfa_token: string;
  readonly factors: readonly string[];
}

export interface ClientOptions {
  /** The origin of Traffy; by default the origin of the page. */
  readonly baseUrl?: string;
  /** `cookie` by default in browsers, else `bearer`. */
  readonly transport?: Transport;
  /** Keeps the credential; by default the memory. Not used by `cookie` in browsers. */
  readonly storage?: CredentialStorage;
  /**
   * Asks the user for a factor or proof. The client sends it and repeats the call; undefined cancels. Without it,
   * `signIn` returns `mfa_required`, and other calls fail with `step_up_required`.
   */
  readonly onChallenge?: (challenge: Challenge) => Promise<Proof | undefined> | Proof | undefined;
  /** Header fields of every request. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly fetch?: typeof fetch;
  /** Milliseconds until a request fails; 30 s by default. */
  readonly timeout?: number;
  /** Milliseconds between two exchanges of the credential; an hour by default. */
  readonly exchangeInterval?: number;
}

export type Client = ReturnType<typeof createClient>;

const HOUR = 3_600_000;
/** The server allows as many attempts for a sign-in. */
const ATTEMPTS = 5;

/**
 * A client of one Traffy for one user. It works the same with every value of AUTH_STRATEGY, also while that changes.
 *
 * @throws TypeError outside browsers without `baseUrl`.
 */
export function createClient(options: ClientOptions = {}) {
  const browser = isBrowser();
  const baseUrl = (options.baseUrl ?? platform.location?.origin)?.replace(/\/+$/, '');
  if (baseUrl === undefined) throw new TypeError('baseUrl is required outside browsers');
  const { transport = browser ? 'cookie' : 'bearer', storage = memoryStorage(), onChallenge } = options;
  // Key-value storages of phones allow no other characters.
  const key = `traffy.${encodeURIComponent(new URL(baseUrl).href).replace(/[^\w.-]/g, '_')}`;
  // Other tabs use the same credential: cookies, or what is in a storage.
  const isShared = browser && (transport === 'cookie' || options.storage !== undefined);
  const state = sharedState(isShared ? key : undefined);
  const session = createSession({
    baseUrl,
    transport,
    fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    headers: options.headers ?? {},
    timeout: options.timeout ?? 30_000,
    store: credentialStore(storage, key),
    exclusive: isShared ? overTabs(`${key}.lock`) : inProcess(storage),
    state,
    exchangedAt: timestamp(isShared ? `${key}.exchanged` : undefined),
    exchangeInterval: options.exchangeInterval ?? HOUR,
  });
  /** Any call of the API, by its method and path. Throws TraffyError. */
  async function call<R extends Route>(route: R, ...[message]: CallArguments<R>): Promise<Reply<R>> {
    const run = () => session.request(route, message as Message) as Promise<Reply<R>>;
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof TraffyError) || error.code !== 'step_up_required' || !(await steppedUp()))
        throw error;
      return run();
    }
  }

  /** One question for all calls that wait for the answer. */
  const steppedUp = single(() =>
    answered({ type: 'step_up' }, async (proof) => {
      await reauthenticate(proof);
      return true;
    }),
  );

  async function reauthenticate(body: Proof): Promise<void> {
    await session.request('POST /reauthenticate', { body });
    await session.outdate();
  }

  /** @returns undefined if the user cancels. */
  async function answered<T>(
    challenge: Pick<Challenge, 'type'> & Partial<Challenge>,
    submit: (answer: Proof) => Promise<T>,
  ): Promise<T | undefined> {
    let error: TraffyError | undefined;
    for (let attempt = 1; ; attempt += 1) {
      const factors = (error?.problem['factors'] as string[] | undefined) ?? challenge.factors;
      const answer = await onChallenge?.({ ...challenge, mfaToken: challenge.mfaToken, factors, error });
      if (!answer) return undefined;
      try {
        return await submit(answer);
      } catch (refused) {
        if (attempt === ATTEMPTS || !isWrongAnswer(refused)) throw refused;
        error = refused;
      }
    }
  }

  async function signIn(body: Omit<Body<'POST /login'>, 'transport'>): Promise<SignedIn | MfaRequired> {
    try {
      return await session.signIn('POST /login', body);
    } catch (error) {
      if (!(error instanceof TraffyError) || error.code !== 'mfa_required') throw error;
      const { mfa_token, factors } = error.problem as unknown as MfaRequired;
      const challenge = { type: 'mfa', mfaToken: mfa_token, factors } as const;
      const done = await answered(challenge, (factor) => mfa({ mfa_token, ...factor }));
      return done ?? { status: 'mfa_required', mfa_token, factors };
    }
  }

  function mfa(body: Body<'POST /mfa'>): Promise<SignedIn> {
    return session.signIn('POST /mfa', body);
  }

  async function signOut(scope: 'local' | 'others' | 'global' = 'local'): Promise<void> {
    if (scope === 'local') return session.signOut();
    await call('POST /logout', { query: { scope } });
    if (scope === 'global') await session.forget();
  }

  const check = () => void session.me().catch(() => undefined);
  const onVisible = () => {
    if (platform.document?.visibilityState === 'visible') check();
  };
  if (browser) {
    queueMicrotask(check);
    platform.document?.addEventListener('visibilitychange', onVisible);
  }

  return {
    call,
    signUp: (body: Body<'POST /signup'>) => call('POST /signup', { body }),
    /** With a second factor: asks `onChallenge` for it, or returns `mfa_required`. */
    signIn,
    /** Completes a sign-in that returned `mfa_required`. */
    mfa,
    /** Completes a ceremony that `traffy-client/passkeys` began. */
    signInWithPasskey: (credential: Body<'POST /passkeys/authentication/verify'>['credential']) =>
      session.signIn('POST /passkeys/authentication/verify', { credential }),
    signOut,
    /** Whether the user is signed in, and who it is; renews the credential if it has expired. */
    me: session.me,
    /** Makes sure that the credential is live; false if the user must sign in. */
    refresh: async () => (await session.me()).logged_in,
    /** Requests a credential of the kind that the server issues now. The client does that by itself. */
    exchange: session.exchange,
    /** A token for other services, valid for half a minute or more; null where the credential is a cookie. */
    accessToken: session.accessToken,
    /** Proves the user again. After it, `accessToken` returns a token with the new `auth_time`. */
    reauthenticate,
    account: {
      get: () => call('GET /users/me'),
      update: (body: Body<'PATCH /users/me'>) => call('PATCH /users/me', { body }),
      export: () => call('GET /users/me/export'),
      events: (query: { limit?: number; cursor?: string } = {}) => call('GET /users/me/events', { query }),
      delete: async () => {
        await call('DELETE /users/me');
        await session.forget();
      },
    },
    sessions: {
      list: async () => (await call('GET /sessions')).sessions,
      end: (id: string) => call('DELETE /sessions/{id}', { params: { id } }),
    },
    password: {
      change: (body: Body<'POST /password'>) => call('POST /password', { body }),
      forgot: (email: string) => call('POST /password/forgot', { body: { email } }),
      reset: (body: Body<'POST /password/reset'>) => call('POST /password/reset', { body }),
    },
    email: {
      change: (email: string) => call('POST /email', { body: { email } }),
      verify: (token: string) => call('POST /email/verify', { body: { token } }),
      resend: () => call('POST /email/verify/resend'),
    },
    totp: {
      start: () => call('POST /totp'),
      confirm: (body: Body<'POST /totp/confirm'>) => call('POST /totp/confirm', { body }),
      remove: () => call('DELETE /totp'),
    },
    /** New recovery codes, in place of all earlier ones. */
    recoveryCodes: async () => (await call('POST /recovery-codes')).codes,
    get state(): SignInState {
      return state.get();
    },
    /** Calls the listener at every sign-in and sign-out, of other tabs too. Returns the function that ends that. */
    onChange: state.onChange,
    close: () => {
      platform.document?.removeEventListener('visibilitychange', onVisible);
      state.close();
    },
  };
}

/** Whether the user can answer again. Any other 401 means that the sign-in or the session is over. */
function isWrongAnswer(error: unknown): error is TraffyError {
  return error instanceof TraffyError && (error.status !== 401 || error.code === 'mfa_failed');
}

/** A time that survives the page, and that all tabs know, where there is a name for it. */
function timestamp(name: string | undefined) {
  let time = 0;
  const storage = name === undefined ? undefined : sharedStorage();
  return {
    get: () => (storage && name ? Number(storage.getItem(name)) : time),
    set: (value: number) => {
      time = value;
      if (name) storage?.setItem(name, String(value));
    },
  };
}
