import { inProcess } from './lock.js';

/** Where a client keeps its credential: a key-value storage, synchronous or not. */
export interface CredentialStorage {
  get(key: string): string | null | undefined | Promise<string | null | undefined>;
  set(key: string, value: string): unknown;
  remove(key: string): unknown;
}

/** What a client holds itself. With cookies in a browser: nothing. */
export interface Held {
  readonly access_token?: string;
  readonly refresh_token?: string;
  /** Milliseconds since 1970, by the clock of the client. */
  readonly expires_at?: number;
  /** The kind of credential that the tokens are. */
  readonly strategy?: string;
  /** Of the user whose tokens they are. */
  readonly email?: string;
  /** Outside browsers, by name. */
  readonly cookies?: Readonly<Record<string, string>>;
}

export interface CredentialStore {
  read(): Promise<Held>;
  /** Replaces what is held; updates of one storage run one after the other. */
  update(change: (held: Held) => Held): Promise<void>;
}

export function memoryStorage(): CredentialStorage {
  const values = new Map<string, string>();
  return {
    get: (key) => values.get(key),
    set: (key, value) => values.set(key, value),
    remove: (key) => values.delete(key),
  };
}

export function credentialStore(storage: CredentialStorage, key: string): CredentialStore {
  const exclusive = inProcess({});
  const read = async (): Promise<Held> => JSON.parse((await storage.get(key)) ?? '{}') as Held;
  return {
    read,
    update: (change) =>
      exclusive(async () => {
        const held = change(await read());
        await (Object.keys(held).length > 0 ? storage.set(key, JSON.stringify(held)) : storage.remove(key));
      }),
  };
}

/** Applies `Set-Cookie` values, as a browser does: `Max-Age=0` deletes. */
export function withCookies({ cookies, ...held }: Held, setCookies: readonly string[]): Held {
  const jar = { ...cookies };
  for (const line of setCookies) {
    const [pair = ''] = line.split(';');
    const name = pair.slice(0, pair.indexOf('='));
    if (/; *max-age=0/i.test(line)) delete jar[name];
    else jar[name] = pair.slice(name.length + 1);
  }
  return Object.keys(jar).length > 0 ? { ...held, cookies: jar } : held;
}
