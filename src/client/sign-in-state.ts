import { platform, sharedStorage } from './platform.js';

/** Whether the user is signed in, as far as the client knows; `unknown` until the first answer. */
export type SignInState =
  { readonly status: 'unknown' | 'signed_out' } | { readonly status: 'signed_in'; readonly email: string };

export interface SharedState {
  get(): SignInState;
  set(state: SignInState): void;
  onChange(listener: (state: SignInState) => void): () => void;
  close(): void;
}

/** @param name the channel of the tabs that share one credential; undefined for a client that shares none. */
export function sharedState(name: string | undefined): SharedState {
  const listeners = new Set<(state: SignInState) => void>();
  let current: SignInState = { status: 'unknown' };
  const { send, close } = connect(name, (state) => void apply(state));

  /** @returns whether it changed. */
  function apply(state: SignInState): boolean {
    if (JSON.stringify(state) === JSON.stringify(current)) return false;
    current = state;
    for (const listener of listeners) listener(state);
    return true;
  }

  return {
    get: () => current,
    set: (state) => {
      if (apply(state)) send(state);
    },
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close,
  };
}

const NO_TABS = { send: (_state: SignInState) => undefined, close: () => undefined };

/** Connects the tabs, by storage events where BroadcastChannel is missing. */
function connect(name: string | undefined, receive: (state: SignInState) => void) {
  if (name === undefined) return NO_TABS;
  if (platform.BroadcastChannel) {
    const channel = new platform.BroadcastChannel(name);
    channel.addEventListener('message', ({ data }) => receive(data as SignInState));
    return {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel, not a window
      send: (state: SignInState) => channel.postMessage(state),
      close: () => channel.close(),
    };
  }
  const storage = sharedStorage();
  if (!storage) return NO_TABS;
  const listener = ({ key, newValue }: { key?: string | null; newValue?: string | null }) => {
    if (key === name && newValue) receive((JSON.parse(newValue) as { state: SignInState }).state);
  };
  platform.addEventListener?.('storage', listener);
  return {
    // Browsers report only changed values.
    send: (state: SignInState) => storage.setItem(name, JSON.stringify({ state, at: Math.random() })),
    close: () => platform.removeEventListener?.('storage', listener),
  };
}
