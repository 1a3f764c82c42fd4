import type { StandardSchemaV1 } from '@standard-schema/spec';
import type { StrategyName } from '../../../config/auth.config.js';
import type { ProblemCode } from '../problems/problem.catalogue.js';

/** The purpose of a route, in terms of OpenAPI. */
export interface RouteDescription {
  /** Unique and stable: generated clients name their methods after it. */
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  /** The kind of credential that the route is for; it is omitted if that kind is not accepted. */
  readonly acceptedWith?: StrategyName;
  /** `none` if a credential is read but never required, as at sign-in. By default the rule of the guard is shown. */
  readonly credentials?: 'none';
  /** The effect of a success on credential cookies. */
  readonly cookies?: 'set' | 'clear';
}

export interface ReplyDescription {
  readonly status: number;
  /** null without a body. */
  readonly schema: StandardSchemaV1 | null;
  readonly description: string;
  readonly mediaType: string;
  readonly examples: Readonly<Record<string, unknown>>;
  /** Further header fields with their descriptions. */
  readonly headers: Readonly<Record<string, string>>;
}

/** All data of a route from its decorators. Converted to OpenAPI only if the documentation is served. */
export interface RouteDocs extends RouteDescription {
  readonly reply: ReplyDescription;
  readonly problems: readonly ProblemCode[];
}

const GROUP = 'traffy:docs-group';
const ROUTE = 'traffy:docs-route';

/** Names the group of a controller's routes. */
export function ApiGroup(name: string): ClassDecorator {
  return (target) => Reflect.defineMetadata(GROUP, name, target);
}

/** Describes the purpose of a route. */
export function ApiRoute(description: RouteDescription): MethodDecorator {
  return describe(description);
}

/**
 * Documents the success of a route.
 *
 * @param schema of its body; null without one.
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
 * Documents the errors that are specific to a route. Those of its method, its guards and the throttler are added
 * automatically.
 */
export function ApiProblems(...problems: ProblemCode[]): MethodDecorator {
  return describe({ problems });
}

/** The documentation of a route; undefined if a required decorator is missing. */
export function routeDocs(handler: object): RouteDocs | undefined {
  const docs = Reflect.getMetadata(ROUTE, handler) as Partial<RouteDocs> | undefined;
  if (!docs?.operationId || !docs.reply) return undefined;
  return { problems: [], ...docs } as RouteDocs;
}

/** The group of a controller. */
export function groupOf(controller: object): string | undefined {
  return Reflect.getMetadata(GROUP, controller) as string | undefined;
}

/** Marks a field of replies that exists only if this strategy issues. For `.meta()` of a schema. */
export function issuedBy(strategy: StrategyName): { readonly 'x-issued-by': StrategyName } {
  return { 'x-issued-by': strategy };
}

/** Marks a field of requests that has an effect only if this strategy is accepted. For `.meta()` of a schema. */
export function acceptedWith(strategy: StrategyName): { readonly 'x-accepted-with': StrategyName } {
  return { 'x-accepted-with': strategy };
}

/** Marks a field whose minimum length is a setting. For `.meta()` of a schema. */
export function minLengthBy(setting: 'PASSWORD_MIN_LENGTH'): { readonly 'x-min-length-by': string } {
  return { 'x-min-length-by': setting };
}

/** Represents the issuing strategy in examples. */
export const ISSUING_STRATEGY = '<issuing strategy>';

function describe(part: Partial<RouteDocs>): MethodDecorator {
  return (_target, _key, descriptor) => {
    const handler = descriptor.value as object;
    const sofar = (Reflect.getMetadata(ROUTE, handler) ?? {}) as Partial<RouteDocs>;
    Reflect.defineMetadata(ROUTE, { ...sofar, ...part }, handler);
  };
}
