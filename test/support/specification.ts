import { expect } from '@jest/globals';
import type { TestApp } from './app.js';

export interface Media {
  schema: object;
  example?: unknown;
  examples?: Record<string, { value: unknown }>;
}
export interface Operation {
  operationId: string;
  summary: string;
  tags: string[];
  security: Record<string, unknown>[];
  requestBody?: { required: boolean; content: Record<string, Media> };
  responses: Record<
    string,
    { description: string; headers?: Record<string, object>; content?: Record<string, Media> }
  >;
}
export interface Specification {
  openapi: string;
  info: { description: string; license: object };
  servers: object[];
  tags: { name: string; description?: string }[];
  paths: Record<string, Record<string, Operation>>;
  components: {
    securitySchemes: Record<string, Record<string, string>>;
    schemas: Record<string, { properties: Record<string, Record<string, unknown>> }>;
  };
}

/** The OpenAPI document of a running service, of its strategy by default. */
export async function specificationOf(app: TestApp, path = '/openapi.json'): Promise<Specification> {
  const reply = await app.client.get(path);
  expect(reply.status).toBe(200);
  expect(reply.headers['content-type']).toMatch(/^application\/json/);
  return reply.body as unknown as Specification;
}

/** Every operation as `post /login`. */
export function operationsOf({ paths }: Specification): Map<string, Operation> {
  return new Map(
    Object.entries(paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => [`${method} ${path}`, operation] as const),
    ),
  );
}
