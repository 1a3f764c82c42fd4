import type { Client } from './client.js';
import { TraffyError } from './client.errors.js';
import type { Body } from './routes.js';
import type { SignedIn } from './session.js';
import {
  type Assertion,
  type CreationOptions,
  creationOptions,
  credentialJson,
  type NewCredential,
  type RequestOptions,
  requestOptions,
  webauthn,
} from './webauthn.js';

type AddOptions = Omit<Body<'POST /passkeys/registration/verify'>, 'credential'>;

export type Passkeys = ReturnType<typeof createPasskeys>;

/** A waiting prompt is renewed before its challenge expires. */
const RENEW_AFTER = 0.8;

/**
 * Passkeys of a browser for a client. Ceremonies fail with `passkey_cancelled` (cancelled, timed out, or no passkey),
 * `passkey_exists` (this device has one for the account) or `passkey_unsupported`. One ceremony runs at a time: a
 * later one ends the autofill.
 */
export function createPasskeys(client: Pick<Client, 'call' | 'signInWithPasskey'>) {
  let waiting: AbortController | undefined;

  function nextSignal(): AbortSignal {
    waiting?.abort();
    waiting = new AbortController();
    return waiting.signal;
  }

  async function create(json: CreationOptions, extra: object = {}): Promise<NewCredential> {
    const options = { publicKey: creationOptions(json), signal: nextSignal(), ...extra };
    return (await ceremony((credentials) => credentials.create(options))) as NewCredential;
  }

  async function register(conditional: boolean, { name, end_other_sessions }: AddOptions) {
    const json = await client.call('POST /passkeys/registration/options', { body: { conditional } });
    const credential = await create(json, conditional ? { mediation: 'conditional' } : {});
    const body = { credential, ...(name && { name }), ...(end_other_sessions && { end_other_sessions }) };
    return client.call('POST /passkeys/registration/verify', { body });
  }

  /** Proves the user for `client.mfa` (with its token) or `client.reauthenticate`, and for `onChallenge`. */
  async function prove(mfaToken?: string): Promise<{ credential: Assertion }> {
    const signal = nextSignal();
    const body =
      mfaToken === undefined ? ({ purpose: 'reauthentication' } as const) : { mfa_token: mfaToken };
    const json = await client.call('POST /passkeys/authentication/options', { body });
    return { credential: await get(json, signal) };
  }

  async function signIn(): Promise<SignedIn> {
    const signal = nextSignal();
    const json = await client.call('POST /passkeys/authentication/options', {});
    return client.signInWithPasskey(await get(json, signal));
  }

  /**
   * Offers passkeys in the field with `autocomplete="username webauthn"`. Resolves with the sign-in once the user
   * chooses one; with undefined where browsers lack it, after a cancel, and when `stop` or another ceremony ends it.
   */
  async function autofill(): Promise<SignedIn | undefined> {
    if (!(await webauthn.PublicKeyCredential?.isConditionalMediationAvailable?.())) return undefined;
    const signal = nextSignal();
    while (!signal.aborted) {
      const json = await client.call('POST /passkeys/authentication/options', {});
      const round = new AbortController();
      const end = () => round.abort();
      signal.addEventListener('abort', end);
      let isOver = false;
      const renewal = setTimeout(() => {
        isOver = true;
        end();
      }, json.timeout * RENEW_AFTER);
      try {
        if (signal.aborted) return undefined;
        return await client.signInWithPasskey(await get(json, round.signal, { mediation: 'conditional' }));
      } catch (error) {
        if (!isCancelled(error)) throw error;
        if (!isOver) return undefined;
      } finally {
        clearTimeout(renewal);
        signal.removeEventListener('abort', end);
      }
    }
    return undefined;
  }

  return {
    isSupported: () => webauthn.PublicKeyCredential !== undefined,
    list: async () => (await client.call('GET /passkeys')).passkeys,
    /** Adds a passkey of this device or of another one. */
    add: (options: AddOptions = {}) => register(false, options),
    /**
     * Adds a passkey without a prompt, after a sign-in with a password (conditional create). Undefined where the
     * browser or the password manager does not do it.
     */
    addSilently: async (options: AddOptions = {}) => {
      const capabilities = await webauthn.PublicKeyCredential?.getClientCapabilities?.();
      if (!capabilities?.['conditionalCreate']) return undefined;
      try {
        return await register(true, options);
      } catch (error) {
        if (error instanceof TraffyError && error.status === 0 && error.code.startsWith('passkey_'))
          return undefined;
        throw error;
      }
    },
    rename: (id: string, name: string) =>
      client.call('PATCH /passkeys/{id}', { params: { id }, body: { name } }),
    remove: (id: string) => client.call('DELETE /passkeys/{id}', { params: { id } }),
    prove,
    signIn,
    autofill,
    /** Ends a waiting autofill. */
    stop: () => waiting?.abort(),
    signal: signals,
  };
}

/** Reports to password managers, where the browser can (Signal API). They never fail. */
const signals = {
  /** All passkeys of the account, so that password managers remove the others. */
  accepted: (options: { rpId: string; userId: string; allAcceptedCredentialIds: readonly string[] }) =>
    quietly(() => webauthn.PublicKeyCredential?.signalAllAcceptedCredentials?.(options)),
  /** A passkey that no account has: password managers delete it for good. */
  unknown: (options: { rpId: string; credentialId: string }) =>
    quietly(() => webauthn.PublicKeyCredential?.signalUnknownCredential?.(options)),
  /** The name of the account, after it changed. */
  user: (options: { rpId: string; userId: string; name: string; displayName: string }) =>
    quietly(() => webauthn.PublicKeyCredential?.signalCurrentUserDetails?.(options)),
};

function isCancelled(error: unknown): boolean {
  return error instanceof TraffyError && error.status === 0 && error.code !== 'network_error';
}

async function quietly(signal: () => Promise<void> | undefined): Promise<void> {
  try {
    await signal();
  } catch {
    // A signal is best effort.
  }
}

async function get(json: RequestOptions, signal: AbortSignal, extra: object = {}): Promise<Assertion> {
  const options = { publicKey: requestOptions(json), signal, ...extra };
  return (await ceremony((credentials) => credentials.get(options))) as Assertion;
}

type Credentials = NonNullable<NonNullable<typeof webauthn.navigator>['credentials']>;

async function ceremony(run: (credentials: Credentials) => ReturnType<Credentials['get']>): Promise<unknown> {
  const credentials = webauthn.navigator?.credentials;
  if (!credentials || !webauthn.PublicKeyCredential) throw new TraffyError('passkey_unsupported');
  try {
    const credential = await run(credentials);
    if (!credential) throw new TraffyError('passkey_cancelled');
    return credentialJson(credential);
  } catch (error) {
    throw translated(error);
  }
}

const CODES: Readonly<Record<string, string>> = {
  NotAllowedError: 'passkey_cancelled',
  AbortError: 'passkey_cancelled',
  InvalidStateError: 'passkey_exists',
  NotSupportedError: 'passkey_unsupported',
};

function translated(error: unknown): unknown {
  const code = CODES[(error as Error | undefined)?.name ?? ''];
  return code === undefined ? error : new TraffyError(code, 0, {}, undefined, error);
}
