import { createHmac } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Audit } from '../src/audit/audit.service.js';
import { MailDelivery } from '../src/mail/mail-delivery.service.js';
import { MAIL_KINDS, type MailKind } from '../src/mail/mail-kinds.js';
import { MailQueue } from '../src/mail/mail-queue.service.js';
import { Sweeper } from '../src/sweep/sweeper.service.js';
import type { MailState } from '../src/mail/outbox-mail.entity.js';
import { Outbox, type NewMail } from '../src/mail/outbox.service.js';
import { openShared, startApp, TEST_SECRET, type TestApp } from './support/app.js';
import { createTestDatabase, type TestDatabase } from './support/database.js';
import { endAllPrograms, freePort, startProgram, until } from './support/process.js';
import { TestSmtpServer, type SmtpMode } from './support/smtp-server.js';
import { freshEmail, PASSWORD, signUp } from './support/strategies.js';

const ORIGIN = 'https://auth.example.com';
const CHROME =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36';
const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0';
/** Kinds with a link. Their composers belong to other features; here they get simple ones. */
const WITH_TOKEN: readonly MailKind[] = ['verify_email', 'change_email', 'reset_password'];

/** Parameters that every kind finds something in. */
const PARAMS = {
  ip: '198.51.100.7',
  user_agent: FIREFOX,
  factor: 'passkey',
  left: '3',
  failures: '12',
  new_email: 'n***@example.org',
};

function part<T>(app: TestApp, type: new (...parts: never[]) => T): T {
  return app.running.app.get<T>(type, { strict: false });
}

/** Adds a mail in a transaction, and gives its id. */
async function add(app: TestApp, mail: Partial<NewMail> & { recipient: string }): Promise<string> {
  return app.running.database.database.transaction(async (tx) => {
    await part(app, Outbox).add(tx, { kind: 'password_changed', userId: null, ...mail });
    const [row] = await tx.query(
      sql<{
        id: string;
      }>`select id from outbox_mails where recipient = ${mail.recipient} order by id desc limit 1`,
    );
    return row?.id ?? '';
  });
}

interface Row {
  readonly state: MailState;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly wait: number;
  readonly rendered: Uint8Array | null;
}

async function rowOf(app: TestApp, id: string): Promise<Row | undefined> {
  const [row] = await app.running.database.database.query(
    sql<Row>`select state, attempts, last_error, rendered, extract(epoch from next_attempt_at - now())::float as wait
      from outbox_mails where id = ${id}`,
  );
  return row;
}

/** Waits until a mail is as a look wants it. */
function becomes(app: TestApp, id: string, look: (row: Row) => boolean): Promise<Row> {
  return until(async () => {
    const row = await rowOf(app, id);
    return row && look(row) ? row : undefined;
  });
}

const isState = (state: MailState) => (row: Row) => row.state === state;

/** Makes a mail due now, as if the time of its next attempt had come. */
async function hurry(app: TestApp, id: string): Promise<void> {
  await app.query(sql`update outbox_mails set next_attempt_at = now() where id = ${id}`);
  await part(app, MailDelivery).sendDue();
}

function tokenOf(nonce: Buffer): string {
  return createHmac('sha256', nonce).update('token').digest('base64url');
}

function composeTokens(app: TestApp): void {
  for (const kind of WITH_TOKEN)
    part(app, Outbox).composeWith(kind, async (_tx, { recipient, params, nonce }) =>
      recipient === null ? null : { recipient, params: { ...params, token: tokenOf(nonce) } },
    );
}

function linksIn(source: string): string[] {
  return source.match(/[a-z]+:\/\/[^\s"'<>)]*[^\s"'<>).,]/gi) ?? [];
}

const CREDENTIALS = { user: 'traffy', password: 'p@ss/w%rd' };
const LOGIN = `${CREDENTIALS.user}:${encodeURIComponent(CREDENTIALS.password)}@`;

/** A node and its mail server, which wants credentials. While the first tests run, it says nothing. */
let quiet: {
  readonly app: TestApp;
  readonly smtp: TestSmtpServer;
  readonly recipient: string;
  readonly id: string;
  readonly requests: { readonly status: number[]; readonly took: number };
  readonly secondsToFailure: Promise<number>;
};
beforeAll(async () => {
  const smtp = await TestSmtpServer.start({ credentials: CREDENTIALS });
  const app = await startApp({ env: { SMTP_URL: smtp.url(LOGIN) } });
  smtp.mode = 'stall';
  const recipient = freshEmail();
  const before = performance.now();
  const id = await add(app, { recipient });
  await until(() => (smtp.connections > 0 ? true : undefined));
  const replies = [await app.client.get('/health/ready'), await app.client.get('/me')];
  const requests = { status: replies.map(({ status }) => status), took: performance.now() - before };
  const failing = becomes(app, id, ({ last_error: error }) => error !== null);
  const secondsToFailure = failing.then(() => (performance.now() - before) / 1000);
  quiet = { app, smtp, recipient, id, requests, secondsToFailure };
});
afterAll(async () => {
  await quiet.app.close();
  await quiet.smtp.stop();
});

describe('with a mail server', () => {
  let smtp: TestSmtpServer;
  let app: TestApp;
  beforeAll(async () => {
    smtp = await TestSmtpServer.start();
    app = await startApp({
      env: { SMTP_URL: smtp.url(), MAIL_FROM: 'Example Login <auth@example.com>', PUBLIC_URL: ORIGIN },
    });
    composeTokens(app);
  });
  afterEach(() => {
    smtp.mode = 'take';
  });
  afterAll(async () => {
    await app.close();
    await smtp.stop();
  });

  async function received(recipient: string) {
    return until(() => smtp.to(recipient)[0]);
  }

  /** Signs in from a network and with a browser that are new to the account. */
  async function signInElsewhere(email: string, headers: Record<string, string> = {}): Promise<void> {
    const elsewhere = { ...headers, 'user-agent': FIREFOX };
    await app.client.send('POST', '/login', { email, password: PASSWORD }, elsewhere, '198.51.100.9');
  }

  it.each(MAIL_KINDS)(
    'L8: %s arrives as text and HTML, and says what happened, when and where',
    async (kind) => {
      const recipient = freshEmail();
      await add(app, { kind, recipient, params: PARAMS });
      const { text, html, headers, from, to } = await received(recipient);
      expect({ from, to }).toEqual({ from: 'auth@example.com', to: [recipient] });
      expect(headers).toMatchObject({
        from: 'Example Login <auth@example.com>',
        to: recipient,
        subject: expect.stringMatching(/^[A-Z][\w -]+$/),
        'auto-submitted': 'auto-generated',
        'x-auto-response-suppress': 'All',
        'message-id': expect.stringMatching(/^<[0-9a-f-]{36}@auth\.example\.com>$/),
      });
      for (const body of [text, html]) {
        expect(body).toContain('auth.example.com');
        expect(body).toMatch(/When: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
        expect(body).toContain('From the address: 198.51.100.7');
        expect(body).toContain('With: Firefox 133 on Windows');
        expect(body.replace(/\s+/g, ' ')).toMatch(/If (this was not you|you did not)/);
        expect(linksIn(body).length).toBeGreaterThan(0);
        for (const link of linksIn(body)) expect(new URL(link).origin).toBe(ORIGIN);
      }
      expect(html).not.toMatch(/<(script|img|link|style)/);
    },
  );

  it.each([
    ['verify_email', {}, 'It works once, for a day.'],
    ['change_email', {}, 'It works once, for a day.'],
    ['reset_password', {}, 'It works once, for an hour.'],
    ['factor_added', { factor: 'totp' }, `An authenticator app was added to your account at ${ORIGIN}.`],
  ] as const)('%s says how long its link works, or what is there now', async (kind, params, sentence) => {
    const recipient = freshEmail();
    await add(app, { kind, recipient, params });
    expect((await received(recipient)).text.replace(/\s+/g, ' ')).toContain(sentence);
  });

  it.each([
    ['verify_email', 'verify-email'],
    ['change_email', 'change-email'],
    ['reset_password', 'reset-password'],
  ] as const)('E11: the link of %s has its token behind #, where no server gets it', async (kind, page) => {
    const recipient = freshEmail();
    const id = await add(app, { kind, recipient });
    const { text, html } = await received(recipient);
    const [row] = await app.query(
      sql<{ nonce: Uint8Array }>`select nonce from outbox_mails where id = ${id}`,
    );
    const token = tokenOf(Buffer.from(row?.nonce ?? []));
    expect(linksIn(text)).toContain(`${ORIGIN}/account/${page}#token=${token}`);
    expect(html).toContain(`<a href="${ORIGIN}/account/${page}#token=${token}">`);
  });

  it('incident 26, E6: Host, X-Forwarded-* and Forwarded of a request reach no mail', async () => {
    const forged = {
      host: 'evil.example',
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'gopher',
      'x-forwarded-prefix': '/evil',
      forwarded: 'host=evil.example;proto=http',
      'x-original-url': 'https://evil.example/',
    };
    const email = await signUp(app);
    await app.client.post('/login', { email, password: PASSWORD }, { ...forged, 'user-agent': CHROME });
    await signInElsewhere(email, forged);
    const mail = await until(() =>
      smtp.to(email).find(({ headers }) => headers['subject']?.includes('device')),
    );
    for (const { source } of smtp.to(email)) expect(source).not.toMatch(/evil|gopher/);
    expect(mail.text).toContain('With: Firefox 133 on Windows');
  });

  it.each([
    `first.o'neil+tag!#$%&*/=?^_\`{|}~-@Example.COM`,
    'UPPER.lower@MIXED.Example.org',
    'a@xn--mller-kva.example',
  ])('incident 33, E8: RCPT TO says %s byte for byte', async (recipient) => {
    await add(app, { recipient });
    const mail = await received(recipient);
    expect(mail.to).toEqual([recipient]);
    expect(smtp.mails.filter(({ source }) => source === mail.source)).toHaveLength(1);
  });

  it('an internationalised domain travels in Punycode', async () => {
    await add(app, { recipient: 'ana@m\u00fcller.example' });
    expect((await received('ana@xn--mller-kva.example')).to).toEqual(['ana@xn--mller-kva.example']);
  });

  it.each([
    '"a b"@example.com',
    '"evil@evil.example"@example.com',
    'a@example.com, b@evil.example',
    'a@example.com,b@evil.example',
    'a@example.com (comment)',
    'Ana <ana@example.com>',
    'group: a@example.com;',
    'e@evil.example@example.com',
    'a@[192.0.2.1]',
    'a@example.com\r\nRCPT TO:<b@evil.example>',
    ' a@example.com',
    'm\u0131ke@example.com',
    'no-at-sign',
  ])('incident 33, E7: nothing is sent to %j', async (recipient) => {
    const count = smtp.mails.length;
    const id = await add(app, { recipient });
    expect(await becomes(app, id, isState('dropped'))).toMatchObject({ attempts: 1, last_error: 'address' });
    expect(smtp.mails).toHaveLength(count);
  });

  it('what clients call themselves is neither markup nor a link in a mail, and starts no line', async () => {
    const recipient = freshEmail();
    const agent =
      'Win a prize <a href="https://evil.example">here</a>\r\nBcc: b@evil.example http://evil.example/ www.evil.example';
    await add(app, {
      kind: 'new_device',
      recipient,
      params: { ip: '203.0.113.1', user_agent: agent, new_email: '<b>@evil' },
    });
    const mail = await received(recipient);
    expect(mail.text).toContain('With: Win a prize a href');
    for (const body of [mail.text, mail.html]) {
      expect(body).not.toMatch(/evil\.example|:\/\/evil|@evil/);
      expect(body).not.toMatch(/^Bcc/m);
    }
    expect(mail.html).not.toContain('href="https://evil');
    expect(mail.headers['bcc']).toBeUndefined();
    expect(mail.to).toEqual([recipient]);
  });

  it('O2: no token is in the log or in the database', async () => {
    const recipient = freshEmail();
    const id = await add(app, { kind: 'reset_password', recipient });
    const { text } = await received(recipient);
    await becomes(app, id, isState('sent'));
    const token = text.split('#token=')[1]?.split(/\s/)[0] ?? '';
    expect(token).toHaveLength(43);
    const rows = await app.query(sql<{ row: string }>`select to_jsonb(m)::text as row from outbox_mails m`);
    expect(rows.map(({ row }) => row).join('')).not.toContain(token);
    expect(app.logText()).not.toContain(token);
    expect(app.logs).toContainEqual(
      expect.objectContaining({ event: 'mail_sent', kind: 'reset_password', mail: id }),
    );
    expect(app.logText()).not.toContain(recipient);
  });

  it('E11: an address gets five mails of a kind with a token an hour, and what is too much is not even composed', async () => {
    const recipient = freshEmail();
    const userId = crypto.randomUUID();
    part(app, Outbox).composeWith('reset_password', async (tx, { nonce }) => {
      await part(app, Audit).record({ kind: 'password_reset_requested', userId }, tx);
      return { recipient, params: { token: tokenOf(nonce) } };
    });
    const ids: string[] = [];
    for (let count = 0; count < 8; count += 1)
      ids.push(await add(app, { kind: 'reset_password', recipient }));
    const rows = await Promise.all(ids.map((id) => becomes(app, id, ({ state }) => state !== 'waiting')));
    expect(rows.map(({ state }) => state)).toEqual([
      ...Array<string>(5).fill('sent'),
      ...Array<string>(3).fill('dropped'),
    ]);
    expect(rows[7]?.last_error).toBe('too_many');
    const [made] = await app.query(
      sql<{ count: number }>`select count(*)::int as count from audit_events where user_id = ${userId}`,
    );
    expect(made?.count).toBe(5);
    composeTokens(app);
    // A notice is never held back.
    for (let count = 0; count < 6; count += 1) await add(app, { recipient });
    await until(() => (smtp.to(recipient).length === 11 ? true : undefined));
  });

  it('E11: an account that names ever other addresses gets five mails an hour as well', async () => {
    const userId = crypto.randomUUID();
    const ids: string[] = [];
    for (let count = 0; count < 7; count += 1)
      ids.push(await add(app, { kind: 'change_email', userId, recipient: freshEmail() }));
    const rows = await Promise.all(ids.map((id) => becomes(app, id, ({ state }) => state !== 'waiting')));
    expect(rows.filter(({ state }) => state === 'sent')).toHaveLength(5);
    const { database } = app.running.database;
    expect(await part(app, Outbox).countRecent(database, userId, 'change_email', 60)).toBe(5);
    expect(await part(app, Outbox).countRecent(database, userId, 'verify_email', 60)).toBe(0);
  });

  it('a mail with nobody to write to is dropped', async () => {
    part(app, Outbox).composeWith('signup_attempt', async () => null);
    const id = await add(app, { kind: 'signup_attempt', recipient: freshEmail() });
    expect(await becomes(app, id, isState('dropped'))).toMatchObject({ last_error: 'nobody' });
    part(app, Outbox).composeWith('signup_attempt', async (_tx, { recipient, params }) =>
      recipient === null ? null : { recipient, params },
    );
  });

  it('a mail of a transaction that is rolled back never was', async () => {
    const recipient = freshEmail();
    const { database } = app.running.database;
    const failing = database.transaction(async (tx) => {
      await part(app, Outbox).add(tx, { kind: 'password_changed', userId: null, recipient });
      throw new Error('rolled back');
    });
    await expect(failing).rejects.toThrow('rolled back');
    const other = await add(app, { recipient: freshEmail() });
    await becomes(app, other, isState('sent'));
    expect(smtp.to(recipient)).toEqual([]);
  });

  it('the same moment, many mails: each arrives once, and they go out a few at a time', async () => {
    const recipients = Array.from({ length: 25 }, () => freshEmail());
    smtp.mostAtOnce = 0;
    await app.running.database.database.transaction(async (tx) => {
      for (const recipient of recipients)
        await part(app, Outbox).add(tx, { kind: 'password_changed', userId: null, recipient });
    });
    await until(() => (recipients.every((recipient) => smtp.to(recipient).length > 0) ? true : undefined));
    expect(recipients.map((recipient) => smtp.to(recipient).length)).toEqual(recipients.map(() => 1));
    // The server learns a moment later that somebody has left.
    expect(smtp.mostAtOnce).toBeLessThanOrEqual(6);
  });

  it.each<[SmtpMode, string]>([
    ['refuse', 'EENVELOPE 550 RCPT TO'],
    ['defer', 'EENVELOPE 451 RCPT TO'],
    ['drop', 'ECONNECTION'],
  ])(
    'fault 18: a server that %ss: the mail stays, and is sent once when that is over',
    async (mode, reason) => {
      const recipient = freshEmail();
      smtp.mode = mode;
      const id = await add(app, { kind: 'reset_password', recipient });
      const failed = await becomes(app, id, ({ last_error: error }) => error !== null);
      expect(failed).toMatchObject({ state: 'waiting', attempts: 1 });
      expect(failed.last_error).toContain(reason);
      expect(failed.wait).toBeGreaterThan(0);
      expect((await app.client.get('/health/ready')).status).toBe(200);
      const line = app.logs.find(({ event, mail }) => event === 'mail_failed' && mail === id);
      expect(line).toMatchObject({
        level: 'warn',
        kind: 'reset_password',
        to: 'p***@example.com',
        attempt: 1,
      });
      smtp.mode = 'take';
      await hurry(app, id);
      expect(await becomes(app, id, isState('sent'))).toMatchObject({ attempts: 2, last_error: null });
      await hurry(app, id);
      expect(smtp.to(recipient)).toHaveLength(1);
      expect(app.logText()).not.toMatch(/#token=|http[^"]*reset-password/);
    },
  );

  it('waits longer after each failure, an hour at most', async () => {
    const recipient = freshEmail();
    smtp.mode = 'refuse';
    const id = await add(app, { recipient });
    const waits: number[] = [];
    for (const attempts of [1, 2, 3, 12]) {
      if (attempts > 1) {
        await app.query(sql`update outbox_mails set attempts = ${attempts - 1} where id = ${id}`);
        await hurry(app, id);
      }
      const failed = await becomes(app, id, (row) => row.last_error?.startsWith('E') ?? false);
      waits.push(failed.wait);
      await app.query(sql`update outbox_mails set last_error = 'x' where id = ${id}`);
    }
    [5, 15, 45, 3600].forEach((least, index) => {
      expect(waits[index]).toBeGreaterThan(least - 2);
      expect(waits[index]).toBeLessThanOrEqual(least * 1.2);
    });
    await app.query(sql`delete from outbox_mails where id = ${id}`);
  });

  it('fault 18: a server that breaks the connection behind its yes: the mail is sent once', async () => {
    const recipient = freshEmail();
    smtp.mode = 'take_and_drop';
    const id = await add(app, { recipient });
    await becomes(app, id, isState('sent'));
    expect(smtp.to(recipient)).toHaveLength(1);
  });

  it('fault 18: one whose yes is lost is sent again, the same to the last byte', async () => {
    const recipient = freshEmail();
    smtp.mode = 'take_and_lose';
    const id = await add(app, { kind: 'verify_email', recipient });
    await becomes(app, id, ({ last_error: error }) => error !== null);
    smtp.mode = 'take';
    await hurry(app, id);
    await becomes(app, id, isState('sent'));
    const [first, second, ...more] = smtp.to(recipient);
    expect(more).toEqual([]);
    expect(second?.source).toBe(first?.source);
    expect(second?.headers['message-id']).toBe(`<${id}@auth.example.com>`);
  });

  it('a mail that a process took and never settled is due again when its claim ends', async () => {
    const recipient = freshEmail();
    const id = await app.running.database.database.transaction(async (tx) => {
      await part(app, Outbox).add(tx, { kind: 'password_changed', userId: null, recipient });
      const [row] = await tx.query(
        sql<{
          id: string;
        }>`update outbox_mails set attempts = 1, next_attempt_at = now() + interval '1 minute'
          where recipient = ${recipient} returning id`,
      );
      return row?.id ?? '';
    });
    await part(app, MailDelivery).sendDue();
    expect(await rowOf(app, id)).toMatchObject({ state: 'waiting', attempts: 1 });
    await hurry(app, id);
    expect(await becomes(app, id, isState('sent'))).toMatchObject({ attempts: 2 });
    expect(smtp.to(recipient)).toHaveLength(1);
  });

  it('what came too late is dropped and never sent; what is done with goes after a week', async () => {
    const [late, old, waiting] = [freshEmail(), freshEmail(), freshEmail()];
    smtp.mode = 'defer';
    const lateId = await add(app, { recipient: late });
    const waitingId = await add(app, { recipient: waiting });
    for (const id of [lateId, waitingId]) await becomes(app, id, ({ last_error: error }) => error !== null);
    smtp.mode = 'take';
    const oldId = await add(app, { recipient: old });
    await becomes(app, oldId, isState('sent'));
    await app.query(
      sql`update outbox_mails set expires_at = now(), next_attempt_at = now() where id = ${lateId}`,
    );
    await app.query(
      sql`update outbox_mails set created_at = now() - interval '8 days' where id in (${oldId}, ${waitingId})`,
    );
    expect(await part(app, MailQueue).dropLate()).toBe(1);
    await part(app, Sweeper).sweep();
    expect(await rowOf(app, lateId)).toMatchObject({
      state: 'dropped',
      last_error: expect.stringContaining('451'),
    });
    expect(await rowOf(app, oldId)).toBeUndefined();
    expect(await rowOf(app, waitingId)).toMatchObject({ state: 'waiting' });
    expect(smtp.to(late)).toEqual([]);
  });

  it('two nodes send each mail once', async () => {
    const sibling = await startApp({
      sibling: app,
      env: { SMTP_URL: smtp.url(), MAIL_FROM: 'Example Login <auth@example.com>', PUBLIC_URL: ORIGIN },
    });
    const recipients = Array.from({ length: 30 }, () => freshEmail());
    await Promise.all(
      recipients.map((recipient, index) => add(index % 2 === 0 ? app : sibling, { recipient })),
    );
    await Promise.all([app, sibling, app].map((node) => part(node, MailDelivery).sendDue()));
    await until(() => (recipients.every((recipient) => smtp.to(recipient).length > 0) ? true : undefined));
    expect(recipients.map((recipient) => smtp.to(recipient).length)).toEqual(recipients.map(() => 1));
    await sibling.close();
  });
});

describe('a mail server', () => {
  it('fault 18: that says nothing is given up after ten seconds, and gets the mail once it speaks again', async () => {
    const { app, smtp, id, requests } = quiet;
    const failed = await becomes(app, id, ({ last_error: error }) => error !== null);
    expect(failed).toMatchObject({ state: 'waiting', last_error: expect.stringContaining('ETIMEDOUT') });
    // Ten seconds, and what a busy machine adds.
    expect(await quiet.secondsToFailure).toBeLessThan(15);
    expect(requests.status).toEqual([200, 200]);
    expect(requests.took).toBeLessThan(8_000);
    smtp.mode = 'take';
    await hurry(app, id);
    await becomes(app, id, isState('sent'));
    expect(smtp.to(quiet.recipient)).toHaveLength(1);
  });

  it('that wants credentials gets them', async () => {
    const recipient = freshEmail();
    await add(quiet.app, { recipient });
    const mail = await until(() => quiet.smtp.to(recipient)[0]);
    expect(mail).toMatchObject({ user: 'traffy', isEncrypted: false });
  });
});

describe('one node after another, on one database', () => {
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

  it('in production mails wait without SMTP_URL, and there is no mailbox; a node that has one sends them', async () => {
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

  it('in production a password of the mail server stays here as long as there is no TLS, and stands in no log', async () => {
    await withNode({ ...production, SMTP_URL: quiet.smtp.url(LOGIN) }, async (node) => {
      const recipient = freshEmail();
      await add(node, { recipient });
      const line = await until(() => node.logs.find(({ event }) => event === 'mail_failed'));
      expect(line).toMatchObject({ reason: expect.stringContaining('ETLS') });
      expect(node.logText()).not.toMatch(/p@ss|p%40ss/);
      expect(quiet.smtp.to(recipient)).toEqual([]);
    });
  });

  it('STARTTLS is used where it is offered, and a certificate that nobody vouches for is refused', async () => {
    const smtp = await TestSmtpServer.start({ startTls: true });
    await withNode({ SMTP_URL: smtp.url() }, async (node) => {
      await add(node, { recipient: freshEmail() });
      const line = await until(() => node.logs.find(({ event }) => event === 'mail_failed'));
      expect(line).toMatchObject({ reason: expect.stringMatching(/ESOCKET|ETLS|CERT/) });
      expect(smtp.mails).toEqual([]);
    });
    await smtp.stop();
  });

  it('fault 18: a node that stops while the server stalls gives up at once, and the next one sends the mail', async () => {
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

  it('/dev/mailbox shows what would have been sent, with a link that works', async () => {
    const reply = await app.client.get('/dev/mailbox', { accept: 'text/html,*/*;q=0.8' });
    expect(reply.status).toBe(200);
    expect(reply.headers['content-type']).toBe('text/html; charset=utf-8');
    expect(reply.text).toContain('Confirm your e-mail address');
    expect(reply.text).toContain(recipient);
    expect(reply.text).toContain(`<a href="http://localhost:8000/account/verify-email#token=${token}"`);
    expect(token).toHaveLength(43);
  });

  it('/dev/mailbox is a page without scripts that nothing caches or frames', async () => {
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
      content: { subject: 'Confirm your e-mail address', html: expect.stringContaining(token) },
    });
  });

  it.each<[string, Record<string, string>, string?]>([
    ['another machine', {}, '198.51.100.7'],
    ['another machine, by IPv6', {}, '2001:db8::7'],
    ['a name that was made to point here', { host: 'evil.example' }],
    ['a proxy or tunnel on this machine', { 'x-forwarded-for': '198.51.100.7' }],
    ['a proxy on this machine', { forwarded: 'for=198.51.100.7' }],
  ])('/dev/mailbox is not there for %s', async (...[, headers, address]) => {
    const reply = await app.client.send('GET', '/dev/mailbox', undefined, headers, address);
    expect({ status: reply.status, code: reply.body['code'] }).toEqual({ status: 404, code: 'not_found' });
    expect(reply.text).not.toContain(token);
  });

  it.each([['127.0.0.1'], ['127.9.9.9'], ['::1'], ['::ffff:127.0.0.1']])(
    '/dev/mailbox is there for %s',
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

  it('/dev/mailbox stands in no specification', async () => {
    const { text } = await app.client.get('/openapi.json');
    expect(text).not.toContain('mailbox');
  });

  it('O2: what is shown is encrypted in the database, and in no log', async () => {
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

    it('lists the outbox, and shows one mail with its text', async () => {
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
            subject: 'Confirm your e-mail address',
          },
        ],
      });
      const shown = await traffy(['show', id]);
      expect(shown).toMatchObject({ code: 0, err: '' });
      expect(shown.out).toContain(recipient);
      expect(shown.out).toContain(`\nhttp://localhost:8000/account/verify-email#token=${token}\n`);
    });

    it('says of a mail that waits when it will be written', async () => {
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
        await traffy(['show', waiting], { SMTP_URL: quiet.smtp.url(LOGIN) }),
      ];
      expect(without.out).toContain('\nIt is not written yet: that happens when Traffy serves next.\n');
      expect(withServer.out).toContain('\nIt is written when it is sent.\n');
    });

    it('send-test sends a mail, or says in a line why not', async () => {
      const address = freshEmail();
      const [sent, refused] = await Promise.all([
        traffy(['send-test', address], { SMTP_URL: quiet.smtp.url(LOGIN) }),
        traffy(['send-test', address], { SMTP_URL: `smtp://127.0.0.1:${await freePort()}` }),
      ]);
      expect(sent).toEqual({ code: 0, out: 'The mail server took it.\n', err: '' });
      expect(quiet.smtp.to(address)).toHaveLength(1);
      expect(refused).toMatchObject({ code: 1, out: '' });
      expect(refused.err).toMatch(/^traffy: the mail server did not take it \(ESOCKET[^\n]*\)\n$/);
    });
  });
});

describe('a process that is killed', () => {
  afterEach(endAllPrograms);

  it('fault 18: in the middle of sending loses no mail', async () => {
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
    expect(mail.headers['subject']).toBe('Confirm your e-mail address');
    await becomes(next, row?.id ?? '', isState('sent'));
    expect(smtp.to(email)).toHaveLength(1);
    await next.close();
    await smtp.stop();
    await database.drop();
  });
});
