import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { Config } from '../../config/load.config.js';
import type { Database } from '../platform/database/database.js';
import { Problem } from '../platform/problems/problem.js';
import { isFromHere } from '../platform/http/local-request.js';
import { writeProblem } from '../platform/http/write-problem.js';
import { MAILBOX_POLICY, mailboxPage } from './mailbox.page.js';
import { listMails } from './outbox-records.js';

export const MAILBOX_PATH = '/dev/mailbox';

const SHOWN_MAX = 50;

/**
 * Serves the development mailbox: unsent mails with working links, as a page or as JSON. Its readers could take over
 * every account, so it answers local requests only, and production never calls this.
 */
export function serveMailbox(app: NestFastifyApplication, config: Config, database: Database): void {
  const { PUBLIC_URL } = config.app;
  app
    .getHttpAdapter()
    .getInstance()
    .get(MAILBOX_PATH, async (request, reply) => {
      if (!isFromHere(request)) {
        writeProblem(reply, new Problem('not_found'));
        return reply;
      }
      const mails = await listMails(database, config.auth.AUTH_SECRETS, SHOWN_MAX);
      if (/application\/json/i.test(request.headers.accept ?? '')) return reply.send({ mails });
      return reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', MAILBOX_POLICY)
        .send(mailboxPage(mails, PUBLIC_URL));
    });
}
