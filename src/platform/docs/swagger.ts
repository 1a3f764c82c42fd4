import { createReadStream, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '../../../config/load.config.js';
import { writeProblem } from '../http/write-problem.js';
import { validationProblem } from '../problems/validation.js';
import { allStrategies, strategiesOf } from './documented-strategies.js';
import { PAGE_CSS, PAGE_POLICY, pageHtml, pageScript } from './page.js';
import { BEARER_SCHEME } from './strategy-docs.js';

/** The files of swagger-ui-dist that the page uses; others are not served. */
const ASSETS = {
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'swagger-ui.css': 'text/css; charset=utf-8',
  'favicon-32x32.png': 'image/png',
};

/**
 * Serves the specification at /openapi.json and Swagger UI at /docs. Both are public: they precede the guards, but
 * not the rate limit for all requests. This module is loaded only if DOCS is on, and Swagger with the first request
 * for a specification. `?strategy=all` gives the union over all strategies.
 *
 * @param running the strategies that run now.
 */
export function serveDocs(
  app: NestFastifyApplication,
  config: Config,
  running: () => Config['auth']['AUTH_STRATEGY'],
): void {
  const fastify = app.getHttpAdapter().getInstance();
  const ui = swaggerUi();
  // With the version in the path, a cached copy never goes stale.
  const assets = `/docs/assets/${ui.version}/`;
  const specifications = new Map<string, Promise<string>>();
  fastify.get('/openapi.json', async (request, reply) => {
    const { strategy } = request.query as { strategy?: unknown };
    if (strategy !== undefined && strategy !== 'all') {
      writeProblem(reply, validationProblem([{ path: ['strategy'], message: 'must be all, or absent' }]));
      return reply;
    }
    const order = running();
    const [name, described] =
      strategy === 'all' ? ['all', allStrategies(config)] : [order.join(','), strategiesOf(config, order)];
    const specification =
      specifications.get(name) ??
      import('./openapi.js').then(({ buildOpenApi }) => JSON.stringify(buildOpenApi(app, described)));
    specifications.set(name, specification);
    return reply
      .type('application/json')
      .header('cache-control', 'no-cache')
      .send(await specification);
  });

  const files = [
    { paths: ['/docs', '/docs/'], type: 'text/html; charset=utf-8', content: pageHtml(assets) },
    { paths: ['/docs/page.css'], type: 'text/css; charset=utf-8', content: PAGE_CSS },
    { paths: ['/docs/page.js'], type: 'text/javascript; charset=utf-8', content: pageScript(BEARER_SCHEME) },
  ];
  for (const { paths, type, content } of files)
    for (const path of paths)
      fastify.get(path, (_request, reply) =>
        reply
          .type(type)
          .header('cache-control', 'no-cache')
          .header('content-security-policy', PAGE_POLICY)
          .send(content),
      );

  for (const [name, type] of Object.entries(ASSETS))
    fastify.get(`${assets}${name}`, (_request, reply) =>
      reply
        .type(type)
        .header('cache-control', 'public, max-age=31536000, immutable')
        .send(createReadStream(join(ui.folder, name))),
    );
}

/** The swagger-ui-dist of @nestjs/swagger. */
function swaggerUi(): { folder: string; version: string } {
  const ofSwagger = createRequire(createRequire(import.meta.url).resolve('@nestjs/swagger'));
  const manifest = ofSwagger.resolve('swagger-ui-dist/package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return { folder: dirname(manifest), version };
}
