import { platform, sharedStorage, type TextStorage } from './platform.js';

/** Runs one task after the other. */
export type Exclusive = <T>(run: () => Promise<T>) => Promise<T>;

/** Milliseconds after which the lease of a closed tab ends. */
const LEASE = 10_000;
const POLL = 50;

const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds);
  });

const tails = new WeakMap<object, Promise<unknown>>();

/** One task at a time of all that have the same owner, in this process. */
export function inProcess(owner: object): Exclusive {
  return (run) => {
    const turn = (tails.get(owner) ?? Promise.resolve()).then(run);
    tails.set(
      owner,
      turn.catch(() => undefined),
    );
    return turn;
  };
}

/**
 * One task at a time over all tabs. Without Web Locks (only secure contexts have them), a lease in the storage that
 * tabs share takes their place. Two tabs that both believe to hold it do no harm: the server answers a repeated
 * refresh with the same tokens.
 */
export function overTabs(name: string): Exclusive {
  const locks = platform.navigator?.locks;
  if (locks) return (run) => locks.request(name, run);
  const storage = sharedStorage();
  if (!storage) return inProcess({});
  return async (run) => {
    const own = String(Math.random());
    await acquire(storage, name, own);
    try {
      return await run();
    } finally {
      if (storage.getItem(name)?.startsWith(own)) storage.removeItem(name);
    }
  };
}

async function acquire(storage: TextStorage, name: string, own: string): Promise<void> {
  for (;;) {
    const [, until = 0] = storage.getItem(name)?.split(' ') ?? [];
    if (Number(until) < Date.now()) {
      storage.setItem(name, `${own} ${Date.now() + LEASE}`);
      // Another tab may have written in the same moment: the last one wins.
      await pause(POLL);
      if (storage.getItem(name)?.startsWith(own)) return;
    }
    await pause(POLL);
  }
}

/** One run at a time: calls during a run get its result. */
export function single<T, A extends readonly unknown[]>(run: (...args: A) => Promise<T>) {
  let current: Promise<T> | undefined;
  return (...args: A): Promise<T> =>
    (current ??= run(...args).finally(() => {
      current = undefined;
    }));
}
