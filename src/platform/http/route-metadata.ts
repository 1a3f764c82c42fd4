import type { ExecutionContext } from '@nestjs/common';
import type { Reflector } from '@nestjs/core';

/** Reads a value that a decorator set on a handler, or else on its controller. */
type Read = <V>(key: string) => V | undefined;

/** Metadata of routes, read once per handler: it does not change at run time, and reflection is slow. */
export class RouteMetadata<T> {
  private readonly cache = new Map<unknown, { readonly controller: unknown; readonly value: T }>();

  constructor(
    private readonly reflector: Reflector,
    private readonly collect: (read: Read) => T,
  ) {}

  /** Returns the metadata of the route of a request. */
  of(context: ExecutionContext): T {
    const handler = context.getHandler();
    const controller = context.getClass();
    const cached = this.cache.get(handler);
    // Two controllers can inherit one handler: that makes two routes.
    if (cached?.controller === controller) return cached.value;
    const value = this.collect(<V>(key: string) =>
      this.reflector.getAllAndOverride<V | undefined>(key, [handler, controller]),
    );
    this.cache.set(handler, { controller, value });
    return value;
  }
}
