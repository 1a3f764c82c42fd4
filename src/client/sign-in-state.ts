import { platform } from './platform.js';

/** Whether the user is signed in, as far as the client knows; `unknown` until the first answer. */
export type SignInState =
  | { readonly status: 'unknown' | 'signed_out'; readonly email?: undefined }
  | { readonly status: 'signed_in'; readonly email: string };

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

/** Connects the tabs. Without BroadcastChannel (browsers before 2022), each tab finds out by its own calls. */
function connect(name: string | undefined, receive: (state: SignInState) => void) {
  if (!name || !platform.BroadcastChannel) return NO_TABS;
  const channel = new platform.BroadcastChannel(name);
  channel.addEventListener('message', ({ data }) => receive(data as SignInState));
  return {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a channel, not a window
    send: (state: SignInState) => channel.postMessage(state),
    close: () => channel.close(),
  };
}
