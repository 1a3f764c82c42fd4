import { randomBytes } from 'node:crypto';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { v7 as uuidv7 } from 'uuid';
import { z } from 'zod';
import { authSettings } from '../../config/auth.config.js';
import type { Config } from '../../config/load.config.js';
import { RunningStrategy } from '../auth/sessions/running-strategy.js';
import { StepRefused } from '../cluster/step-refused.js';
import { StrategyChange } from '../cluster/strategy-change.service.js';
import { Database } from '../platform/database/database.js';
import { CrossSiteGuard } from '../platform/http/cross-site.guard.js';
import { isFromHere } from '../platform/http/local-request.js';
import { PAGE_ROUTE } from '../platform/http/page-route.js';
import { writeProblem } from '../platform/http/write-problem.js';
import { Problem } from '../platform/problems/problem.js';
import { validationProblem } from '../platform/problems/validation.js';
import { hashNewPassword } from '../users/passwords/new-password.js';
import { insertUser, setRole } from '../users/user-writes.js';
import type { BuiltPages } from './built-pages.js';
import { describeCredentials, expireCredential } from './dev-credentials.js';
import { pageHtml, pagePolicy } from './page-html.js';

const demoBody = z.strictObject({ role: z.enum(['user', 'admin']) });
const strategyBody = z.strictObject({ strategy: authSettings.AUTH_STRATEGY.schema });

type Handler = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>;

/**
 * Serves the development controls under /dev. They make administrators and change the server, so that they answer local
 * requests only, and nothing but APP_ENV=development calls this. They are in no specification.
 */
export function serveControls(app: NestFastifyApplication, config: Config, built: BuiltPages): void {
  const fastify = app.getHttpAdapter().getInstance();
  const running = app.get(RunningStrategy, { strict: false });
  const crossSite = new CrossSiteGuard(config.app);
  /** The checks of every other route: these precede the guards. */
  const checked =
    (handle: Handler): Handler =>
    async (request, reply) => {
      try {
        if (!isFromHere(request)) throw new Problem('not_found');
        crossSite.check(request);
        const answer = await handle(request, reply);
        return answer === reply ? reply : await reply.header('cache-control', 'no-store').send(answer);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        writeProblem(reply, error);
        return reply;
      }
    };

  fastify.get(
    '/dev/controls',
    PAGE_ROUTE,
    checked(async (_request, reply) =>
      reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', pagePolicy(undefined))
        .send(
          pageHtml({
            language: 'en',
            title: 'Development controls',
            noScript: 'This page needs JavaScript.',
            files: built.filesFor('controls.page.tsx'),
            site: {},
          }),
        ),
    ),
  );
  fastify.get(
    '/dev/credential',
    checked(async (request) => ({
      strategy: running.value.join(','),
      next_steps: (await app.get(StrategyChange, { strict: false }).nextSteps()).map(String),
      credentials: await describeCredentials(app, request),
    })),
  );
  fastify.post(
    '/dev/demo',
    checked(async ({ body }, reply) => {
      const { role } = parsed(demoBody, body);
      return reply.code(201).send(await createDemo(app, config, role));
    }),
  );
  fastify.post(
    '/dev/expire',
    checked(async (request, reply) => {
      const cookies = await expireCredential(app, request);
      if (cookies === null) throw new Problem('authentication_required');
      if (cookies.length > 0) void reply.header('set-cookie', cookies);
      return { expired: true };
    }),
  );
  fastify.post(
    '/dev/strategy',
    checked(async ({ body }, reply) => {
      const { strategy } = parsed(strategyBody, body);
      try {
        await app.get(StrategyChange, { strict: false }).change(strategy);
      } catch (error) {
        if (!(error instanceof StepRefused)) throw error;
        return reply.code(409).send({ refused: error.message });
      }
      return { strategy: running.value.join(',') };
    }),
  );
}

function parsed<T>(schema: z.ZodType<T>, body: unknown): T {
  const { data, error } = schema.safeParse(body ?? {});
  if (error) throw validationProblem(error.issues);
  return data as T;
}

/** The page signs in with these: its cookies come the way of every sign-in. */
async function createDemo(app: NestFastifyApplication, config: Config, role: 'user' | 'admin') {
  const id = uuidv7();
  const email = `demo-${role}-${randomBytes(4).toString('hex')}@example.com`;
  const password = randomBytes(24).toString('base64url');
  const outcome = await hashNewPassword(config, password, email);
  if ('weakness' in outcome) throw new Error(outcome.weakness);
  await app.get(Database, { strict: false }).transaction(async (tx) => {
    await insertUser(tx, { id, email, passwordHash: outcome.hash, isEmailVerified: true });
    if (role === 'admin') await setRole(tx, id, 'admin');
  });
  return { email, password };
}
