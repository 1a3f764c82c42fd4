import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '../../config/load.config.js';
import { PAGE_CSS, PAGE_POLICY, pageHtml, pageScript } from './page.js';
import { PASSKEYS_CSS, PASSKEYS_HTML } from './passkeys-page.js';
import { passkeysScript } from './passkeys-script.js';
import { BEARER_SCHEME } from './strategy-docs.js';

/** The files of swagger-ui-dist that the page uses; the rest is not served. */
const ASSETS = ['swagger-ui-bundle.js', 'swagger-ui.css', 'favicon-32x32.png'];
const A_YEAR = 365 * 24 * 60 * 60 * 1000;

/**
 * Serves the specification at /openapi.json and Swagger UI at /docs. Both are public: they stand before the
 * guards, though not before the rate limit for all requests.
 * This module is loaded only where DOCS is on, and Swagger with the first look at the specification.
 */
export function serveDocs(app: NestFastifyApplication, config: Config): void {
  const fastify = app.getHttpAdapter().getInstance();
  const ui = swaggerUi();
  // With the version in the path, a copy never goes stale.
  const assets = `/docs/assets/${ui.version}/`;
  let specification: Promise<string> | undefined;
  fastify.get('/openapi.json', async (_request, reply) => {
    specification ??= import('./openapi.js').then(({ buildOpenApi }) =>
      JSON.stringify(buildOpenApi(app, config)),
    );
    return reply
      .type('application/json')
      .header('cache-control', 'no-cache')
      .send(await specification);
  });

  const files = [
    { paths: ['/docs', '/docs/'], type: 'text/html; charset=utf-8', content: pageHtml(assets) },
    { paths: ['/docs/page.css'], type: 'text/css; charset=utf-8', content: PAGE_CSS },
    { paths: ['/docs/page.js'], type: 'text/javascript; charset=utf-8', content: pageScript(BEARER_SCHEME) },
    { paths: ['/docs/passkeys'], type: 'text/html; charset=utf-8', content: PASSKEYS_HTML },
    { paths: ['/docs/passkeys.css'], type: 'text/css; charset=utf-8', content: PASSKEYS_CSS },
    {
      paths: ['/docs/passkeys.js'],
      type: 'text/javascript; charset=utf-8',
      content: passkeysScript(config.app.PUBLIC_URL),
    },
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

  fastify.register(fastifyStatic, {
    root: ui.folder,
    prefix: assets,
    allowedPath: (path) => ASSETS.includes(path.slice(1)),
    index: false,
    decorateReply: false,
    maxAge: A_YEAR,
    immutable: true,
  });
}

/** swagger-ui-dist as @nestjs/swagger has it. */
function swaggerUi(): { folder: string; version: string } {
  const ofSwagger = createRequire(createRequire(import.meta.url).resolve('@nestjs/swagger'));
  const manifest = ofSwagger.resolve('swagger-ui-dist/package.json');
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return { folder: dirname(manifest), version };
}
