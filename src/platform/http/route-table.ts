import { Problem } from '../problems/problem.js';
import { pathOf } from './ascii.js';

interface Route {
  readonly segments: readonly string[];
  readonly methods: Set<string>;
}

/** The methods of each path, for the `Allow` header of a 405 (RFC 9110 §15.5.6). */
export class RouteTable {
  private readonly routes = new Map<string, Route>();

  /** @param path a route path of Fastify, with `:name` for parameters. */
  add(path: string, methods: string | readonly string[]): void {
    const route = this.routes.get(path) ?? { segments: path.split('/'), methods: new Set<string>() };
    for (const method of [methods].flat()) route.methods.add(method);
    this.routes.set(path, route);
  }

  /** Returns every route. */
  all(): { path: string; method: string }[] {
    return [...this.routes].flatMap(([path, { methods }]) =>
      [...methods].map((method) => ({ path, method })),
    );
  }

  /** Returns the problem of a request for which no route exists: 405 if its path has other methods, else 404. */
  problemOf(url: string): Problem {
    const allowed = this.methodsOf(url);
    if (allowed.length === 0) return new Problem('not_found');
    return new Problem('method_not_allowed', { headers: { allow: allowed.join(', ') } });
  }

  /** Returns the methods of a path, sorted; empty if the path does not exist. */
  private methodsOf(url: string): string[] {
    const path = pathOf(url).split('/');
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
