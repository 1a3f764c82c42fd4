/** Makes this process look like a page at an origin, with its own storage; returns the function that ends that. */
export function enterBrowser(origin: string, missing: readonly ('locks' | 'channel')[] = []): () => void {
  const storage = new Map<string, string>();
  const page = new EventTarget();
  const visibility = { state: 'visible' };
  const define = (name: string, value: unknown) => {
    const before = Object.getOwnPropertyDescriptor(globalThis, name);
    Object.defineProperty(globalThis, name, { configurable: true, writable: true, value });
    return () => {
      if (before) Object.defineProperty(globalThis, name, before);
      else Reflect.deleteProperty(globalThis, name);
    };
  };
  const changed = (key: string, newValue: string | null) =>
    // Browsers tell the other tabs alone; a client ignores what it knows already.
    page.dispatchEvent(Object.assign(new Event('storage'), { key, newValue }));
  const undo = [
    define('location', { origin }),
    define('document', {
      get visibilityState() {
        return visibility.state;
      },
      addEventListener: page.addEventListener.bind(page),
      removeEventListener: page.removeEventListener.bind(page),
      dispatchEvent: page.dispatchEvent.bind(page),
    }),
    define('addEventListener', page.addEventListener.bind(page)),
    define('removeEventListener', page.removeEventListener.bind(page)),
    define('localStorage', {
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => {
        storage.set(key, value);
        changed(key, value);
      },
      removeItem: (key: string) => storage.delete(key),
    }),
    ...(missing.includes('locks') ? [define('navigator', {})] : []),
    ...(missing.includes('channel') ? [define('BroadcastChannel', undefined)] : []),
  ];
  return () => {
    for (const end of undo.toReversed()) end();
  };
}

/** The user returns to the page. */
export function returnToPage(): void {
  const { document } = globalThis as unknown as { document: EventTarget };
  document.dispatchEvent(new Event('visibilitychange'));
}
