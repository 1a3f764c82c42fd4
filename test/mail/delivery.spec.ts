import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Audit } from '../../src/audit/audit.service.js';
import { MailDelivery } from '../../src/mail/mail-delivery.service.js';
import { MAIL_KINDS } from '../../src/mail/mail-kinds.js';
import { MailQueue } from '../../src/mail/mail-queue.service.js';
import { Purger } from '../../src/platform/retention/purger.service.js';
import { Outbox } from '../../src/mail/outbox.service.js';
import { startApp, type TestApp } from '../support/app.js';
import { until } from '../support/process.js';
import { TestSmtpServer, type SmtpMode } from '../support/smtp-server.js';
import { freshEmail, PASSWORD, signUp } from '../support/strategies.js';
import { add, becomes, composeTokens, hurry, isState, part, rowOf, tokenOf } from '../support/mails.js';

const ORIGIN = 'https://auth.example.com';
const CHROME =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36';
const FIREFOX = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:133.0) Gecko/20100101 Firefox/133.0';

/** Parameters that every kind finds something in. */
const PARAMS = {
  ip: '198.51.100.7',
  user_agent: FIREFOX,
  factor: 'passkey',
  left: '3',
  failures: '12',
  new_email: 'n***@example.org',
};

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

  it.each(MAIL_KINDS)('%s is sent as text and HTML with the event, time and client [L8]', async (kind) => {
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
      expect(body).toContain('IP address: 198.51.100.7');
      expect(body).toContain('Device: Firefox 133 on Windows');
      expect(body.replace(/\s+/g, ' ')).toMatch(/If (this was not you|you did not)/);
      expect(linksIn(body).length).toBeGreaterThan(0);
      for (const link of linksIn(body)) expect(new URL(link).origin).toBe(ORIGIN);
    }
    expect(html).not.toMatch(/<(script|img|link|style)/);
  });

  it.each([
    ['verify_email', {}, 'The link works once and expires in 24 hours.'],
    ['change_email', {}, 'The link works once and expires in 24 hours.'],
    ['reset_password', {}, 'The link works once and expires in 1 hour.'],
    ['factor_added', { factor: 'totp' }, `An authenticator app was added to your account at ${ORIGIN} and`],
  ] as const)('%s states the validity of its link or the new state', async (kind, params, sentence) => {
    const recipient = freshEmail();
    await add(app, { kind, recipient, params });
    expect((await received(recipient)).text.replace(/\s+/g, ' ')).toContain(sentence);
  });

  it.each([
    ['verify_email', 'verify-email'],
    ['change_email', 'verify-email?change'],
    ['reset_password', 'reset-password'],
  ] as const)('%s has its token in the fragment, which no server receives [E11]', async (kind, page) => {
    const recipient = freshEmail();
    const id = await add(app, { kind, recipient });
    const { text, html } = await received(recipient);
    const [row] = await app.query(
      sql<{ nonce: Uint8Array }>`select nonce from outbox_mails where id = ${id}`,
    );
    const token = tokenOf(Buffer.from(row?.nonce ?? []));
    expect(linksIn(text)).toContain(`${ORIGIN}/${page}#token=${token}`);
    expect(html).toContain(`<a href="${ORIGIN}/${page}#token=${token}">`);
  });

  it('ignores Host, X-Forwarded-* and Forwarded of a request [E6, incident 26]', async () => {
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
      smtp.to(email).find(({ headers }) => headers['subject']?.includes('New sign-in')),
    );
    for (const { source } of smtp.to(email)) expect(source).not.toMatch(/evil|gopher/);
    expect(mail.text).toContain('Device: Firefox 133 on Windows');
  });

  it.each([
    `first.o'neil+tag!#$%&*/=?^_\`{|}~-@Example.COM`,
    'UPPER.lower@MIXED.Example.org',
    'a@xn--mller-kva.example',
  ])('RCPT TO is %s byte for byte [E8, incident 33]', async (recipient) => {
    await add(app, { recipient });
    const mail = await received(recipient);
    expect(mail.to).toEqual([recipient]);
    expect(smtp.mails.filter(({ source }) => source === mail.source)).toHaveLength(1);
  });

  it('an internationalised domain is sent in Punycode', async () => {
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
  ])('sends nothing to %j [E7, incident 33]', async (recipient) => {
    const count = smtp.mails.length;
    const id = await add(app, { recipient });
    expect(await becomes(app, id, isState('dropped'))).toMatchObject({ attempts: 1, last_error: 'address' });
    expect(smtp.mails).toHaveLength(count);
  });

  it('a user agent is neither markup nor a link, and starts no line', async () => {
    const recipient = freshEmail();
    const agent =
      'Win a prize <a href="https://evil.example">here</a>\r\nBcc: b@evil.example http://evil.example/ www.evil.example';
    await add(app, {
      kind: 'new_device',
      recipient,
      params: { ip: '203.0.113.1', user_agent: agent, new_email: '<b>@evil' },
    });
    const mail = await received(recipient);
    expect(mail.text).toContain('Device: Win a prize a href');
    for (const body of [mail.text, mail.html]) {
      expect(body).not.toMatch(/evil\.example|:\/\/evil|@evil/);
      expect(body).not.toMatch(/^Bcc/m);
    }
    expect(mail.html).not.toContain('href="https://evil');
    expect(mail.headers['bcc']).toBeUndefined();
    expect(mail.to).toEqual([recipient]);
  });

  it('no token is in the log or the database [O2]', async () => {
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

  it('an address gets five mails of a kind with a token per hour; more are not composed [E11]', async () => {
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

  it('an account that names ever new addresses gets five mails per hour too [E11]', async () => {
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

  it('a mail without recipient is dropped', async () => {
    part(app, Outbox).composeWith('signup_attempt', async () => null);
    const id = await add(app, { kind: 'signup_attempt', recipient: freshEmail() });
    expect(await becomes(app, id, isState('dropped'))).toMatchObject({ last_error: 'nobody' });
    part(app, Outbox).composeWith('signup_attempt', async (_tx, { recipient, params }) =>
      recipient === null ? null : { recipient, params },
    );
  });

  it('a mail of a rolled-back transaction is not sent', async () => {
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

  it('many concurrent mails are each sent once, a few at a time', async () => {
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
  ])('a server that %ss: the mail stays and is sent once after recovery [fault 18]', async (mode, reason) => {
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
  });

  it('waits longer after each failure, one hour at most', async () => {
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

  it('a server that closes the connection after accepting gets the mail once [fault 18]', async () => {
    const recipient = freshEmail();
    smtp.mode = 'take_and_drop';
    const id = await add(app, { recipient });
    await becomes(app, id, isState('sent'));
    expect(smtp.to(recipient)).toHaveLength(1);
  });

  it('a mail whose acceptance is lost is sent again, identical to the byte [fault 18]', async () => {
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

  it('a mail whose process died is due again when its claim expires', async () => {
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

  it('a late mail is dropped; finished mails are purged after a week', async () => {
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
    await part(app, Purger).purge();
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

describe('mail server', () => {
  it('that stalls is given up after ten seconds and gets the mail after recovery [fault 18]', async () => {
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

  it('that requires credentials gets them', async () => {
    const recipient = freshEmail();
    await add(quiet.app, { recipient });
    const mail = await until(() => quiet.smtp.to(recipient)[0]);
    expect(mail).toMatchObject({ user: 'traffy', isEncrypted: false });
  });
});
