import type { routes } from './specification.data.js';

/** A call of the API, such as `POST /login`. */
export type Route = keyof routes;

interface JsonContent {
  readonly content: { readonly 'application/json': unknown };
}

type Json<Media> = Media extends { content: { 'application/json': infer Value } } ? Value : undefined;
type Replies<R extends Route> = routes[R]['responses'];

/** The body of the successful reply; undefined for an empty one. */
export type Reply<R extends Route> = Json<Replies<R>[keyof Replies<R>]>;

/** The JSON body of a call. */
export type Body<R extends Route> = Json<NonNullable<routes[R]['requestBody']>>;

type BodyOption<R extends Route> = routes[R] extends { requestBody: JsonContent }
  ? { readonly body: Body<R> }
  : { readonly body?: Body<R> };

type QueryOption<R extends Route> = { readonly query?: NonNullable<routes[R]['parameters']['query']> };

type ParamsOption<R extends Route> = routes[R]['parameters'] extends { path: infer Params }
  ? { readonly params: Params }
  : { readonly params?: undefined };

/** What a call takes: its JSON body, its query, and the values of `{…}` in its path. */
export type CallOptions<R extends Route> = BodyOption<R> & QueryOption<R> & ParamsOption<R>;

/** The options can be left out if none is required. */
export type CallArguments<R extends Route> =
  Record<never, never> extends CallOptions<R> ? [options?: CallOptions<R>] : [options: CallOptions<R>];
