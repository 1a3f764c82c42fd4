import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp, TEST_SECRET, type TestApp } from '../support/app.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { endAllPrograms, freePort, startProgram } from '../support/process.js';
import { TestSmtpServer } from '../support/smtp-server.js';
import { freshEmail } from '../support/strategies.js';
import { add, becomes, composeTokens, isState } from '../support/mails.js';

const CREDENTIALS = { user: 'traffy', password: 'p@ss/w%rd' };
const LOGIN = `${CREDENTIALS.user}:${encodeURIComponent(CREDENTIALS.password)}@`;

/** A mail server that requires credentials. */
let mailServer: TestSmtpServer;
beforeAll(async () => {
  mailServer = await TestSmtpServer.start({ credentials: CREDENTIALS });
});
afterAll(() => mailServer.stop());

describe('without a mail server', () => {
  let app: TestApp;
  let recipient: string;
  let token: string;
  let database: TestDatabase;
  let id: string;
  beforeAll(async () => {
    database = await createTestDatabase();
    app = await startApp({ database });
    composeTokens(app);
    recipient = freshEmail();
    id = await add(app, { kind: 'verify_email', recipient });
    await becomes(app, id, isState('shown'));
    const { body } = await app.client.get('/dev/mailbox', { accept: 'application/json' });
    token = body['mails'][0].content.text.split('#token=')[1].split(/\s/)[0];
  });
  afterAll(() => database.drop());

  it('/dev/mailbox shows unsent mails with working links', async () => {
    const reply = await app.client.get('/dev/mailbox', { accept: 'text/html,*/*;q=0.8' });
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(reply.text).toContain('Verify your e-mail address');
    expect(reply.text).toContain(recipient);
    expect(reply.text).toContain(`<a href="http://localhost:8000/verify-email#token=${token}"`);
    expect(token).toHaveLength(43);
  });

  it('/dev/mailbox is a page without scripts, caching or framing', async () => {
    const { headers, text } = await app.client.get('/dev/mailbox');
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['referrer-policy']).toBe('no-referrer');
    expect(headers['content-security-policy']).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/]+='; frame-ancestors 'none'; base-uri 'none'; form-action 'none'$/,
    );
    expect(text).not.toMatch(/<script|<img|<link|\son\w+=/);
  });

  it('/dev/mailbox answers programs in JSON', async () => {
    const { body } = await app.client.get('/dev/mailbox', { accept: 'application/json' });
    expect(body['mails'][0]).toMatchObject({
      kind: 'verify_email',
      state: 'shown',
      to: recipient,
      content: { subject: 'Verify your e-mail address', html: expect.stringContaining(token) },
    });
  });

  it.each<[string, Record<string, string>, string?]>([
    ['another machine', {}, '198.51.100.7'],
    ['another machine, by IPv6', {}, '2001:db8::7'],
    ['a name that was made to point here', { host: 'evil.example' }],
    ['a proxy or tunnel on this machine', { 'x-forwarded-for': '198.51.100.7' }],
    ['a proxy on this machine', { forwarded: 'for=198.51.100.7' }],
    ['a proxy that names itself alone', { via: '1.1 proxy' }],
    ['a proxy that sends the scheme alone', { 'x-forwarded-proto': 'https' }],
    ['a proxy that sends the address in another field', { 'x-real-ip': '127.0.0.1' }],
    ['a tunnel', { 'cf-connecting-ip': '127.0.0.1' }],
    ['a name that ends like a local one', { host: 'evil-localhost' }],
  ])('/dev/mailbox does not exist for %s', async (...[, headers, address]) => {
    const reply = await app.client.send('GET', '/dev/mailbox', undefined, headers, address);
    expect({ status: reply.status, code: reply.body['code'] }).toEqual({ status: 404, code: 'not_found' });
    expect(reply.text).not.toContain(token);
  });

  it.each([['127.0.0.1'], ['127.9.9.9'], ['::1'], ['::ffff:127.0.0.1']])(
    '/dev/mailbox exists for %s',
    async (address) => {
      const reply = await app.client.send(
        'GET',
        '/dev/mailbox',
        undefined,
        { host: 'localhost:8000' },
        address,
      );
      expect(reply.status).toBe(200);
    },
  );

  it('/dev/mailbox is not in the specification', async () => {
    const { text } = await app.client.get('/openapi.json');
    expect(text).not.toContain('/dev/mailbox');
  });

  it('shown mails are encrypted in the database and never logged [O2]', async () => {
    const [row] = await app.query(
      sql<{
        row: string;
        rendered: Uint8Array;
      }>`select to_jsonb(m)::text as row, rendered from outbox_mails m`,
    );
    expect(row?.row).not.toContain(token);
    expect(Buffer.from(row?.rendered ?? []).toString('latin1')).not.toContain(token);
    expect(app.logText()).not.toContain(token);
  });

  describe('traffy mail', () => {
    // The embedded database belongs to one process.
    beforeAll(() => app.close());
    afterEach(endAllPrograms);

    async function traffy(args: string[], env: Record<string, string> = {}) {
      const program = startProgram({
        args: ['traffy', 'mail', ...args],
        env: { APP_ENV: 'test', AUTH_SECRETS: TEST_SECRET, ...database.env, ...env },
      });
      const { code } = await program.exit;
      return { code, out: program.stdout(), err: program.stderr().replace('Traffy: building\n', '') };
    }

    it('lists the outbox and shows a mail with its text', async () => {
      const listed = await traffy(['--json']);
      expect(listed).toMatchObject({ code: 0, err: '' });
      expect(JSON.parse(listed.out)).toEqual({
        mails: [
          {
            id,
            kind: 'verify_email',
            state: 'shown',
            to: recipient,
            attempts: 1,
            created_at: expect.stringMatching(/Z$/),
            next_attempt_at: null,
            finished_at: expect.stringMatching(/Z$/),
            last_error: null,
            subject: 'Verify your e-mail address',
          },
        ],
      });
      const shown = await traffy(['show', id]);
      expect(shown).toMatchObject({ code: 0, err: '' });
      expect(shown.out).toContain(recipient);
      expect(shown.out).toContain(`\nhttp://localhost:8000/verify-email#token=${token}\n`);
    });

    it('says when a waiting mail will be composed', async () => {
      const waiting = crypto.randomUUID();
      const node = await startApp({ database });
      await node.query(
        sql`insert into outbox_mails (id, kind, recipient, nonce, expires_at, next_attempt_at)
            values (${waiting}, 'password_changed', ${freshEmail()}, ${Buffer.alloc(32)}, now() + interval '1 day',
              now() + interval '1 hour')`,
      );
      await node.close();
      const [without, withServer] = [
        await traffy(['show', waiting]),
        await traffy(['show', waiting], { SMTP_URL: mailServer.url(LOGIN) }),
      ];
      expect(without.out).toContain('\nIts text does not exist yet: a running node creates it.\n');
      expect(withServer.out).toContain('\nIts text is created when it is sent.\n');
    });

    it('send-test sends a mail, or explains in one line why not', async () => {
      const address = freshEmail();
      const [sent, refused] = await Promise.all([
        traffy(['send-test', address], { SMTP_URL: mailServer.url(LOGIN) }),
        traffy(['send-test', address], { SMTP_URL: `smtp://127.0.0.1:${await freePort()}` }),
      ]);
      expect(sent).toEqual({ code: 0, out: 'The mail server accepted the mail.\n', err: '' });
      expect(mailServer.to(address)).toHaveLength(1);
      expect(refused).toMatchObject({ code: 1, out: '' });
      expect(refused.err).toMatch(/^traffy: the mail server did not accept the mail \(ESOCKET[^\n]*\)\n$/);
    });
  });
});
