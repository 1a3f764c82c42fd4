/** Makes this process look like a page at an origin, with its own storage; returns the function that ends that. */
export function enterBrowser(origin: string, missing: readonly 'locks'[] = []): () => void {
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
    define('localStorage', {
      getItem: (key: string) => storage.get(key) ?? null,
      setItem: (key: string, value: string) => storage.set(key, value),
      removeItem: (key: string) => storage.delete(key),
    }),
    ...(missing.includes('locks') ? [define('navigator', {})] : []),
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
