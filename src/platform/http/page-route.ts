declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whether the route answers with a page or a part of one, whatever the Accept field says. */
    isPage?: true;
  }
}

/** The options of a route that serves a page. */
export const PAGE_ROUTE = { config: { isPage: true } } as const;
