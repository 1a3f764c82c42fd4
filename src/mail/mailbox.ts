import { BlockList, isIP } from 'node:net';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import type { Config } from '../../config/load.config.js';
import type { Database } from '../database/database.js';
import { Problem } from '../problems/problem.js';
import { writeProblem } from '../problems/write-problem.js';
import { MAILBOX_POLICY, mailboxPage } from './mailbox.page.js';
import { listMails } from './outbox-records.js';

export const MAILBOX_PATH = '/dev/mailbox';

const SHOWN_MAX = 50;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Serves the mailbox of development: what would have been sent, with links that work, as a page or as JSON. Whoever reads it
 * can take over every account, so that it answers this machine alone; in production this is not called.
 */
export function serveMailbox(app: NestFastifyApplication, config: Config, database: Database): void {
  const { PUBLIC_URL } = config.app;
  app
    .getHttpAdapter()
    .getInstance()
    .get(MAILBOX_PATH, async (request, reply) => {
      if (!isFromHere(request, PUBLIC_URL)) {
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

/**
 * Whether a request was made on this machine, and for it: not through a proxy or a tunnel that runs here, and not by a page whose
 * name was made to point here (DNS rebinding), which would be of the same origin.
 */
function isFromHere({ ip, socket, headers, hostname }: FastifyRequest, publicUrl: string): boolean {
  if (headers['x-forwarded-for'] !== undefined || headers['forwarded'] !== undefined) return false;
  if (!isLoopback(ip) || !isLoopback(socket.remoteAddress ?? '')) return false;
  const host = hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || isLoopback(host) || host === new URL(publicUrl).hostname;
}

function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  const family = isIP(plain);
  return family !== 0 && loopback.check(plain, family === 4 ? 'ipv4' : 'ipv6');
}
