import { http, type HttpHandler, HttpResponse } from 'msw/http';
import type { Body, Route } from '../../client/routes.js';
import type { components, ProblemCode, routes } from '../../client/specification.data.js';

/** The calls that no page makes: they are for services, proxies and operators. */
type ForServices =
  | `GET /.well-known/${string}`
  | `GET /health/${string}`
  | 'GET /verify'
  | 'POST /introspect'
  | 'POST /revoke';

/** The calls that the mock answers. */
export type MockedRoute = Exclude<Route, ForServices>;

/** An answer for every call of the specification: a new call does not compile until it has one. */
export type Mocks = { readonly [R in MockedRoute]: Mock<R> };

/** Answers one call. A refusal can also be thrown. */
export type Mock<R extends Route> = (call: Call<R>) => Answer | Promise<Answer>;

/** One call, and the only way to answer it. */
interface Call<R extends Route> {
  readonly body: Body<R>;
  readonly params: Params<R>;
  readonly query: Query<R>;
  /** A successful reply: its status and its body are those of the specification. */
  readonly reply: <S extends Status<R>>(status: S, ...body: Content<R, S>) => Answer;
}

type Replies<R extends Route> = routes[R]['responses'];
type Status<R extends Route> = keyof Replies<R> & number;
type Content<R extends Route, S extends Status<R>> = Replies<R>[S] extends {
  content: { 'application/json': infer Value };
}
  ? [body: Value]
  : [];
type Params<R extends Route> = routes[R]['parameters'] extends { path: infer Values } ? Values : undefined;
/** As it arrives: text. */
type Query<R extends Route> = {
  readonly [Name in keyof NonNullable<routes[R]['parameters']['query']>]?: string;
};

/** A reply or a refusal. Only `reply` and `refusal` make one, so that each is of the specification. */
class Answer {
  #response: Response;
  constructor(response: Response) {
    this.#response = response;
  }
  get response(): Response {
    return this.#response;
  }
}

/** A thrown answer. */
export class Refused extends Error {
  constructor(readonly answer: Answer) {
    super('refused');
  }
}

type Problem = components['schemas']['Problem'];
type ProblemOf<C extends ProblemCode> = Extract<
  components['schemas'][keyof components['schemas']],
  { readonly code: C }
>;
/** The members of a problem that its code asks for, such as the `factors` of `mfa_required`. */
type Members<C extends ProblemCode> = Omit<
  ProblemOf<C>,
  'type' | 'title' | 'status' | 'detail' | 'code' | 'request_id'
>;

/**
 * A problem as the specification has it.
 *
 * @param wait seconds, for `Retry-After`.
 */
export function refusal<C extends ProblemCode>(
  code: C,
  status: number,
  title: string,
  members: Members<C>,
  wait?: number,
): Answer {
  const base: Problem = {
    type: `urn:problem-type:traffy:${code}`,
    title,
    status,
    detail: title,
    code,
    request_id: crypto.randomUUID(),
  };
  return new Answer(
    HttpResponse.json(
      { ...base, ...members },
      {
        status,
        headers: {
          'content-type': 'application/problem+json',
          ...(wait !== undefined && { 'retry-after': String(wait) }),
        },
      },
    ),
  );
}

const METHODS = { GET: http.get, POST: http.post, PATCH: http.patch, DELETE: http.delete };

/**
 * The handlers of all calls.
 *
 * @param before runs first: it can throw a refusal, or return what the network answers instead.
 */
export function handlersOf(
  mocks: Mocks,
  before: (route: MockedRoute) => Promise<Response | undefined>,
): HttpHandler[] {
  return Object.entries(mocks).map(([name, mock]) => {
    const route = name as MockedRoute;
    const [method = '', path = ''] = name.split(' ');
    return METHODS[method as keyof typeof METHODS](
      path.replaceAll(/\{(\w+)\}/g, ':$1'),
      async ({ request, params }) => {
        try {
          const instead = await before(route);
          if (instead) return instead;
          const text = await request.text();
          const call = {
            body: text === '' ? undefined : JSON.parse(text),
            params,
            query: Object.fromEntries(new URL(request.url).searchParams),
            reply: (status: number, body?: object) =>
              new Answer(
                body === undefined ? new HttpResponse(null, { status }) : HttpResponse.json(body, { status }),
              ),
          };
          return (await (mock as unknown as Mock<never>)(call as never)).response;
        } catch (error) {
          if (error instanceof Refused) return error.answer.response;
          throw error;
        }
      },
    );
  });
}
