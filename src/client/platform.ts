/** The browser interfaces that the client uses where they exist. Node.js has some of them. */
interface Platform {
  readonly location?: { readonly origin: string };
  readonly document?: EventSource & { readonly visibilityState: string };
  readonly navigator?: { readonly locks?: Locks };
  readonly localStorage?: TextStorage;
  readonly BroadcastChannel?: new (name: string) => Channel;
}

interface EventSource {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

interface Locks {
  request<T>(name: string, run: () => Promise<T>): Promise<T>;
}

export interface TextStorage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

interface Channel {
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  postMessage(data: unknown): void;
  close(): void;
}

export const platform = globalThis as unknown as Platform;

/** Whether a page or a worker of a browser runs this code. */
export const isBrowser = (): boolean => platform.location !== undefined;

/** The storage that all tabs share; undefined outside browsers and where the user blocks it. */
export function sharedStorage(): TextStorage | undefined {
  if (!isBrowser()) return undefined;
  try {
    return platform.localStorage;
  } catch {
    return undefined;
  }
}
