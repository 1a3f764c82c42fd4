import { RequestMethod } from '@nestjs/common';
import { DiscoveryService, MetadataScanner, ModulesContainer } from '@nestjs/core';
import { ROLE, STEP_UP } from '../../src/platform/http/access.decorators.js';
import { ACCESS, type Access } from '../../src/platform/http/public.decorator.js';
import { RATE_LIMIT } from '../../src/platform/throttle/rate-limit.guard.js';
import type { TestApp } from './app.js';

export interface RouteFacts {
  /** Such as `DELETE /sessions/:id`. */
  readonly route: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly access: Access | 'required';
  readonly role: string | undefined;
  readonly needsStepUp: boolean;
  /** The rate limit of its own, if it has one. */
  readonly policy: unknown;
  /** The kinds and schemas of the parameters that Nest fills from the request. */
  readonly parameters: { readonly source: number; readonly hasSchema: boolean }[];
}

/** Every route of an application, as its decorators describe it. */
export function routesOf(app: TestApp): RouteFacts[] {
  const discovery = new DiscoveryService(app.running.app.get(ModulesContainer));
  const scanner = new MetadataScanner();
  return discovery.getControllers().flatMap(({ instance, metatype }) => {
    const controller = metatype as (new () => object) | null;
    if (!instance || !controller) return [];
    const prefix = String(Reflect.getMetadata('path', controller));
    return scanner.getAllMethodNames(Object.getPrototypeOf(instance)).flatMap((name) => {
      const handler = (instance as Record<string, object>)[name] as object;
      const suffix: unknown = Reflect.getMetadata('path', handler);
      if (typeof suffix !== 'string') return [];
      const read = (key: string): unknown =>
        Reflect.getMetadata(key, handler) ?? Reflect.getMetadata(key, controller);
      const method = RequestMethod[Number(Reflect.getMetadata('method', handler))] as RouteFacts['method'];
      const path = `/${prefix}/${suffix}`.replace(/\/{2,}/g, '/').replace(/(.)\/$/, '$1');
      const args = (Reflect.getMetadata('__routeArguments__', controller, name) ?? {}) as Record<
        string,
        { schema?: unknown }
      >;
      const parameters = Object.entries(args).map(([key, { schema }]) => ({
        source: Number(key.split(':')[0]),
        hasSchema: schema !== undefined,
      }));
      return [
        {
          route: `${method} ${path}`,
          method,
          path,
          access: (read(ACCESS) as Access | undefined) ?? 'required',
          role: read(ROLE) as string | undefined,
          needsStepUp: read(STEP_UP) === true,
          policy: Reflect.getMetadata(RATE_LIMIT, handler),
          parameters,
        },
      ];
    });
  });
}
