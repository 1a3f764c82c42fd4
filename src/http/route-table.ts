interface Route {
  readonly segments: readonly string[];
  readonly methods: Set<string>;
}

/** Which methods each address has, for the `Allow` header of a 405 (RFC 9110 §15.5.6). */
export class RouteTable {
  private readonly routes = new Map<string, Route>();

  /** @param path a route path of Fastify, with `:name` for parameters. */
  add(path: string, methods: string | readonly string[]): void {
    const route = this.routes.get(path) ?? { segments: path.split('/'), methods: new Set<string>() };
    for (const method of [methods].flat()) route.methods.add(method);
    this.routes.set(path, route);
  }

  /** Every route there is. */
  all(): { path: string; method: string }[] {
    return [...this.routes].flatMap(([path, { methods }]) =>
      [...methods].map((method) => ({ path, method })),
    );
  }

  /** The methods of an address, sorted; none where the address does not exist. */
  methodsOf(url: string): string[] {
    const path = (url.split('?', 1)[0] ?? '').split('/');
    const matching = [...this.routes.values()].filter(({ segments }) => matches(segments, path));
    return [...new Set(matching.flatMap((route) => [...route.methods]))].toSorted();
  }
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  if (pattern.length !== path.length) return false;
  return pattern.every((segment, index) =>
    segment.startsWith(':') ? path[index] !== '' : segment === path[index],
  );
}
