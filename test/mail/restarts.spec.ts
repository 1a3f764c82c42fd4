import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { MailDelivery } from '../../src/mail/mail-delivery.service.js';
import { openShared, startApp, TEST_SECRET, type TestApp } from '../support/app.js';
import { createTestDatabase } from '../support/database.js';
import { endAllPrograms, startProgram, until } from '../support/process.js';
import { TestSmtpServer } from '../support/smtp-server.js';
import { freshEmail, PASSWORD } from '../support/strategies.js';
import { add, becomes, hurry, isState, part, rowOf } from '../support/mails.js';

const ORIGIN = 'https://auth.example.com';

const CREDENTIALS = { user: 'traffy', password: 'p@ss/w%rd' };
const LOGIN = `${CREDENTIALS.user}:${encodeURIComponent(CREDENTIALS.password)}@`;

/** A mail server that requires credentials. */
let mailServer: TestSmtpServer;
beforeAll(async () => {
  mailServer = await TestSmtpServer.start({ credentials: CREDENTIALS });
});
afterAll(() => mailServer.stop());

describe('successive nodes on one database', () => {
  let shared: Awaited<ReturnType<typeof openShared>>;
  const production = { APP_ENV: 'production', PUBLIC_URL: ORIGIN, TRUST_PROXY: '0', LOG_LEVEL: 'info' };
  beforeAll(async () => {
    shared = await openShared();
  });
  afterAll(() => shared.close());

  /** A node that is the only one while `work` goes on. */
  async function withNode(
    env: Record<string, string>,
    work: (node: TestApp) => Promise<void>,
  ): Promise<number> {
    // Production wants to be told which database; this one is open already.
    const where = { DATABASE_URL: 'postgres://db.example.com/traffy', ...shared.testDatabase.env };
    const node = await startApp({ sibling: shared, env: { ...where, ...env } });
    let before = 0;
    try {
      await work(node);
    } finally {
      before = performance.now();
      await node.close();
    }
    return performance.now() - before;
  }

  it('in production, mails wait without SMTP_URL and there is no mailbox; a node with SMTP_URL sends them', async () => {
    const recipient = freshEmail();
    await withNode(production, async (node) => {
      const id = await add(node, { recipient });
      const reply = await node.client.get('/dev/mailbox');
      expect({ status: reply.status, code: reply.body['code'] }).toEqual({ status: 404, code: 'not_found' });
      await part(node, MailDelivery).sendDue();
      expect(await rowOf(node, id)).toMatchObject({ state: 'waiting', attempts: 0, rendered: null });
    });
    const smtp = await TestSmtpServer.start();
    await withNode({ ...production, SMTP_URL: smtp.url() }, async () => {
      await until(() => smtp.to(recipient)[0]);
    });
    await smtp.stop();
  });

  it('in production without SMTP_URL, the start and readiness report that no mail is sent', async () => {
    const delivery = async (node: TestApp) =>
      (await node.client.get('/health/ready')).body['details'].mail as unknown;
    const isLogged = (node: TestApp) => node.logs.some(({ event }) => event === 'mail_not_sent');
    await withNode(production, async (node) => {
      expect([isLogged(node), await delivery(node)]).toEqual([true, { status: 'up', delivery: 'off' }]);
    });
    await withNode({ ...production, SMTP_URL: mailServer.url(LOGIN) }, async (node) => {
      expect([isLogged(node), await delivery(node)]).toEqual([false, { status: 'up', delivery: 'smtp' }]);
    });
    await withNode({}, async (node) => {
      expect([isLogged(node), await delivery(node)]).toEqual([false, { status: 'up', delivery: 'mailbox' }]);
    });
  });

  it('in production, the password is not sent without TLS and never logged', async () => {
    await withNode({ ...production, SMTP_URL: mailServer.url(LOGIN) }, async (node) => {
      const recipient = freshEmail();
      await add(node, { recipient });
      const line = await until(() => node.logs.find(({ event }) => event === 'mail_failed'));
      expect(line).toMatchObject({ reason: expect.stringContaining('ETLS') });
      expect(node.logText()).not.toMatch(/p@ss|p%40ss/);
      expect(mailServer.to(recipient)).toEqual([]);
    });
  });

  it('STARTTLS is used if offered, and an untrusted certificate is refused', async () => {
    const smtp = await TestSmtpServer.start({ startTls: true });
    await withNode({ SMTP_URL: smtp.url() }, async (node) => {
      await add(node, { recipient: freshEmail() });
      const line = await until(() => node.logs.find(({ event }) => event === 'mail_failed'));
      expect(line).toMatchObject({ reason: expect.stringMatching(/ESOCKET|ETLS|CERT/) });
      expect(smtp.mails).toEqual([]);
    });
    await smtp.stop();
  });

  it('a node that stops while the server stalls stops in time, and the next node sends the mail [fault 18]', async () => {
    const recipient = freshEmail();
    const smtp = await TestSmtpServer.start();
    smtp.mode = 'stall_data';
    let id = '';
    const took = await withNode({ SMTP_URL: smtp.url() }, async (node) => {
      id = await add(node, { recipient });
      await becomes(node, id, ({ attempts }) => attempts === 1);
      await until(() => (smtp.connections > 0 ? true : undefined));
    });
    expect(took).toBeLessThan(5_000);
    smtp.mode = 'take';
    await withNode({ SMTP_URL: smtp.url() }, async (node) => {
      expect(await rowOf(node, id)).toMatchObject({ state: 'waiting', attempts: 1 });
      await hurry(node, id);
      await becomes(node, id, isState('sent'));
      expect(smtp.to(recipient)).toHaveLength(1);
    });
    await smtp.stop();
  });
});

describe('killed process', () => {
  afterEach(endAllPrograms);

  it('loses no mail while sending [fault 18]', async () => {
    const database = await createTestDatabase();
    const smtp = await TestSmtpServer.start();
    smtp.mode = 'stall_data';
    const env = { ...database.env, SMTP_URL: smtp.url(), AUTH_SECRETS: TEST_SECRET };
    const program = startProgram({ env });
    const origin = await program.ready();
    const email = freshEmail();
    await fetch(`${origin}/signup`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password: PASSWORD }),
    });
    await until(() => (smtp.connections > 0 ? true : undefined));
    await program.kill('SIGKILL');
    smtp.mode = 'take';
    const next = await startApp({ database, env });
    // What the process had taken is due again in a minute. A test does not wait for that.
    const [row] = await next.query(
      sql<{ id: string; attempts: number }>`select id, attempts from outbox_mails where recipient = ${email}`,
    );
    expect(row?.attempts).toBe(1);
    await hurry(next, row?.id ?? '');
    const mail = await until(() => smtp.to(email)[0]);
    expect(mail.headers['subject']).toBe('Verify your e-mail address');
    await becomes(next, row?.id ?? '', isState('sent'));
    expect(smtp.to(email)).toHaveLength(1);
    await next.close();
    await smtp.stop();
    await database.drop();
  });
});
