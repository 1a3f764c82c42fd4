import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { StrategyName } from '../../config/auth.config.js';
import type { ProblemCode } from '../problems/problem.catalogue.js';

/** What a route is for, in OpenAPI's terms. */
export interface RouteDescription {
  /** Unique, and stable: generated clients name their methods after it. */
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** The kind of credential it is about; where that is not accepted, the route is left out. */
  readonly acceptedWith?: StrategyName;
  /** `none` where a credential is read but never helps, as at sign-in. By default the guard's own rule is shown. */
  readonly credentials?: 'none';
  /** What a success does to the cookies of credentials. */
  readonly cookies?: 'set' | 'clear';
}

export interface ReplyDescription {
  readonly status: number;
  /** null where the reply has no body. */
  readonly schema: StandardSchemaV1 | null;
  readonly description: string;
  readonly mediaType: string;
  readonly examples: Readonly<Record<string, unknown>>;
  /** Header fields that are particular to it, with what they say. */
  readonly headers: Readonly<Record<string, string>>;
}

/** All that decorators say of a route. It becomes OpenAPI only where the documentation is served. */
export interface RouteDocs extends RouteDescription {
  readonly reply: ReplyDescription;
  readonly problems: readonly ProblemCode[];
}

const GROUP = 'traffy:docs-group';
const ROUTE = 'traffy:docs-route';

/** Names the group that the routes of a controller stand in. */
export function ApiGroup(name: string): ClassDecorator {
  return (target) => Reflect.defineMetadata(GROUP, name, target);
}

/** Says what a route is for. */
export function ApiRoute(description: RouteDescription): MethodDecorator {
  return describe(description);
}

/**
 * Documents the success of a route.
 *
 * @param schema of its body; null where it has none.
 * @param examples by name; the schema's own example by default.
 */
export function ApiReply(
  status: number,
  schema: StandardSchemaV1 | null,
  description: string,
  options: Partial<Pick<ReplyDescription, 'mediaType' | 'examples' | 'headers'>> = {},
): MethodDecorator {
  const { mediaType = 'application/json', examples = {}, headers = {} } = options;
  return describe({ reply: { status, schema, description, mediaType, examples, headers } });
}

/**
 * Documents the errors that are particular to a route. What its method, its guards and the throttler bring along
 * need not be named.
 */
export function ApiProblems(...problems: ProblemCode[]): MethodDecorator {
  return describe({ problems });
}

/** What the decorators of a route said, or undefined where a needed one is missing. */
export function routeDocs(handler: object): RouteDocs | undefined {
  const docs = Reflect.getMetadata(ROUTE, handler) as Partial<RouteDocs> | undefined;
  if (!docs?.operationId || !docs.reply) return undefined;
  return { problems: [], ...docs } as RouteDocs;
}

/** The group of a controller. */
export function groupOf(controller: object): string | undefined {
  return Reflect.getMetadata(GROUP, controller) as string | undefined;
}

/** A field of replies that is there only where this strategy issues. Goes into `.meta()` of a schema. */
export function issuedBy(strategy: StrategyName): { readonly 'x-issued-by': StrategyName } {
  return { 'x-issued-by': strategy };
}

/** A field of requests that has a meaning only where this strategy is accepted. Goes into `.meta()` of a schema. */
export function acceptedWith(strategy: StrategyName): { readonly 'x-accepted-with': StrategyName } {
  return { 'x-accepted-with': strategy };
}

/** A field whose least length is a setting. Goes into `.meta()` of a schema. */
export function minLengthBy(setting: 'PASSWORD_MIN_LENGTH'): { readonly 'x-min-length-by': string } {
  return { 'x-min-length-by': setting };
}

/** Stands in examples for the strategy that issues. */
export const ISSUING_STRATEGY = '<issuing strategy>';

function describe(part: Partial<RouteDocs>): MethodDecorator {
  return (_target, _key, descriptor) => {
    const handler = descriptor.value as object;
    const sofar = (Reflect.getMetadata(ROUTE, handler) ?? {}) as Partial<RouteDocs>;
    Reflect.defineMetadata(ROUTE, { ...sofar, ...part }, handler);
  };
}
