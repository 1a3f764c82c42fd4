import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { MAIL_KINDS } from '../../src/mail/mail-kinds.js';
import { startApp, type TestApp } from '../support/app.js';
import { allMails, mailTo } from '../support/mailbox.js';
import { add } from '../support/mails.js';
import { until } from '../support/process.js';
import { TestSmtpServer } from '../support/smtp-server.js';
import { freshEmail, PASSWORD, signIn, STRATEGIES } from '../support/strategies.js';

const GERMAN = { 'accept-language': 'de-CH,de;q=0.9,en;q=0.8' };
const ORIGIN = 'https://app.example.com';

/** Words of each language that no text of the other has. */
const GERMAN_WORDS = /\b(Ihr|Ihre|Ihrem|Sie)\b/;
const ENGLISH_WORDS = /\b(your|you|the)\b/i;

/** A header field without its encoded words (RFC 2047). */
function decoded(field = ''): string {
  return field
    .replaceAll(/\?=\s+=\?/g, '?==?')
    .replaceAll(/=\?UTF-8\?([QB])\?(.*?)\?=/gi, (_all, coding: string, word: string) =>
      coding.toUpperCase() === 'B'
        ? Buffer.from(word, 'base64').toString()
        : decodeURIComponent(word.replaceAll('_', ' ').replaceAll('=', '%')),
    );
}

describe('problems', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { TRUSTED_ORIGINS: ORIGIN } });
  });
  afterAll(() => app.close());

  const wrong = (headers: Record<string, string>) =>
    app.client.post('/login', { email: 'unknown@example.com', password: PASSWORD }, headers);

  it('are German if the request asks for it, with the same code', async () => {
    const { status, body, headers } = await wrong(GERMAN);
    expect(status).toBe(401);
    expect(body).toMatchObject({
      code: 'invalid_credentials',
      title: 'E-Mail-Adresse oder Passwort ist falsch',
      detail: 'E-Mail-Adresse oder Passwort ist falsch',
      action: 'login',
    });
    expect(headers).toMatchObject({ 'content-language': 'de', vary: 'Origin, Accept-Language' });
  });

  it.each([{}, { 'accept-language': 'fr' }, { 'accept-language': '*' }, { 'accept-language': 'en, de' }])(
    'are English with %j',
    async (given) => {
      const { body, headers } = await wrong(given as Record<string, string>);
      expect(body['title']).toBe('Incorrect e-mail address or password');
      expect(headers).toMatchObject({ 'content-language': 'en', vary: 'Origin, Accept-Language' });
    },
  );

  it.each([
    [{}, 'email', 'muss ein Text sein'],
    [{ email: '' }, 'email', 'darf nicht leer sein'],
    [{ email: 'ada' }, 'email', 'muss ein @ enthalten, wie in name@example.com'],
    [{ email: 'a da@example.com' }, 'email', 'darf vor dem @ nicht ein Leerzeichen enthalten'],
    [{ email: 'ada@exa"mple.com' }, 'email', 'darf nach dem @ nicht "\\"" enthalten'],
    [
      { email: 'ada@example' },
      'email',
      'muss eine Domain mit einem Punkt nach dem @ haben, wie in example.com',
    ],
    [{ password: 'x'.repeat(1025) }, 'password', 'darf höchstens 1024 Bytes haben'],
    [{ colour: 'red' }, 'colour', 'ist kein bekanntes Feld'],
  ])('say in German what is wrong with %j', async (body, path, message) => {
    const reply = await app.client.post('/signup', { password: PASSWORD, ...body }, GERMAN);
    expect(reply.status).toBe(400);
    expect(reply.body['code']).toBe('validation_failed');
    expect(reply.body['errors']).toContainEqual({ path, message });
    expect(reply.body['detail']).toContain(`${path}: ${message}`);
  });

  it.each([
    [
      '/mfa',
      { mfa_token: 'x', code: 'letters' },
      'code',
      'muss aus den sechs Ziffern bestehen, die die App zeigt',
    ],
    ['/mfa', { mfa_token: 'x', code: '1'.repeat(21) }, 'code', 'darf höchstens 20 Zeichen haben'],
    ['/passkeys/authentication/verify', {}, 'credential', 'fehlt'],
    ['/passkeys/authentication/verify', { credential: 'x' }, 'credential', 'muss ein Objekt sein'],
  ])('translate messages of the validation library at %s for %j', async (path, body, field, message) => {
    const { body: answer } = await app.client.post(path, body, GERMAN);
    expect(answer['errors']).toContainEqual({ path: field, message });
  });

  it.each([
    ['kurz', 'too_short', 'Nehmen Sie mindestens 15 Zeichen.'],
    ['passwordpassword', 'common', 'Dieses Passwort ist zu häufig.'],
    ['traffytraffytraffy', 'context_specific', 'Dieses Passwort besteht aus dem Namen des Dienstes'],
    ['monkey monkey monkey!', 'guessable', 'Dieses Passwort ist leicht zu erraten'],
  ])('explain in German why the password %s is weak: %s', async (password, reason, sentence) => {
    const reply = await app.client.post('/signup', { email: freshEmail(), password }, GERMAN);
    expect(reply.body).toMatchObject({ code: 'weak_password', title: 'Das Passwort ist zu schwach', reason });
    expect(reply.body['errors'][0]).toEqual({
      path: 'password',
      message: expect.stringContaining(sentence),
      reason,
    });
    for (const { message } of reply.body['errors']) expect(reply.body['detail']).toContain(message);
    const { warning, suggestions = [] } = reply.body['feedback'] ?? {};
    for (const text of [...(warning === undefined ? [] : [warning]), ...suggestions])
      expect(text).not.toMatch(/\b(the|are|words|avoid|characters|this)\b/i);
  });

  it('give the advice about a password in the language of the reader', async () => {
    const body = { email: freshEmail(), password: 'aaaaaaaaaaaaaaaaaaaa' };
    const german = await app.client.post('/signup', body, GERMAN);
    const english = await app.client.post('/signup', body);
    expect(german.body['feedback']['warning']).toBe('Wiederholte Zeichen wie „aaa“ sind leicht zu erraten.');
    expect(english.body['feedback']['warning']).toBe('Repeated characters like "aaa" are easy to guess.');
  });

  it('stay English, title and all, where they speak to developers', async () => {
    const { body, headers } = await app.client.post('/login', '{"email":', GERMAN);
    expect(body).toMatchObject({ code: 'malformed_body', title: 'The body is not valid JSON' });
    expect(headers).toMatchObject({ 'content-language': 'en', vary: 'Origin, Accept-Language' });
  });

  it('stay English at the OAuth endpoints, whose readers are programs', async () => {
    const reply = await app.client.send('POST', '/introspect', 'token=x', {
      ...GERMAN,
      'content-type': 'application/x-www-form-urlencoded',
    });
    expect(reply.body).toEqual({
      error: 'invalid_client',
      error_description: 'The client is not authenticated',
    });
    expect(reply.headers['content-language']).toBeUndefined();
  });
});

it('an exceeded quota is explained in German', async () => {
  const app = await startApp({ env: { RATE_LIMIT_SIGNUP: '1/1m' } });
  await app.client.post('/signup', { email: freshEmail(), password: PASSWORD });
  const { status, body } = await app.client.post(
    '/signup',
    { email: freshEmail(), password: PASSWORD },
    GERMAN,
  );
  expect(status).toBe(429);
  expect(body).toMatchObject({ code: 'rate_limited', title: 'Zu viele Anfragen' });
  expect(body['detail']).toMatch(/^Das Kontingent „signup“ von 1 Anfragen in \d+ s ist verbraucht\./);
  await app.close();
});

describe.each(STRATEGIES)('the language of an account with AUTH_STRATEGY=$strategy', ({ strategy }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_STRATEGY: strategy } });
  });
  afterAll(() => app.close());

  async function signUpIn(headers: Record<string, string>) {
    const email = freshEmail();
    await app.client.post('/signup', { email, password: PASSWORD }, headers);
    return signIn(app, email);
  }

  it.each([
    [GERMAN, 'de'],
    [{ 'accept-language': 'en-GB' }, 'en'],
    [{ 'accept-language': 'fr' }, 'en'],
    [{}, null],
  ])('is that of the sign-up: %j is %s', async (headers, language) => {
    const { client } = await signUpIn(headers as Record<string, string>);
    expect((await client.get('/users/me')).body['language']).toBe(language);
  });

  it('changes with the profile, alone or with the name, and decides about mails', async () => {
    const { client, email } = await signUpIn(GERMAN);
    const first = await mailTo(app, email, 'verify_email');
    expect(first.subject).toBe('Bestätigen Sie Ihre E-Mail-Adresse');
    const named = await client.send('PATCH', '/users/me', { name: 'Ada' });
    expect(named.body).toMatchObject({ name: 'Ada', language: 'de' });
    const changed = await client.send('PATCH', '/users/me', { language: 'en' });
    expect(changed.body).toMatchObject({ name: 'Ada', language: 'en' });
    await app.client.post('/password/forgot', { email }, GERMAN);
    expect((await mailTo(app, email, 'reset_password')).subject).toBe('Reset your password');
    const both = await client.send('PATCH', '/users/me', { name: null, language: null });
    expect(both.body).toMatchObject({ name: null, language: null });
    const { events } = (await client.get('/users/me/events')).body;
    const fields = events
      .filter(({ kind }: { kind: string }) => kind === 'profile_changed')
      .map(({ details }: { details: { fields: string[] } }) => details.fields);
    expect(fields).toEqual([['name', 'language'], ['language'], ['name']]);
  });

  it('is one that exists, and a change has at least one field', async () => {
    const { client } = await signIn(app);
    for (const language of ['fr', 'DE', '', 1, {}]) {
      const reply = await client.send('PATCH', '/users/me', { language });
      expect({ status: reply.status, errors: reply.body['errors'] }).toEqual({
        status: 400,
        errors: [{ path: 'language', message: 'must be en or de or null' }],
      });
    }
    const empty = await client.send('PATCH', '/users/me', {});
    expect({ status: empty.status, errors: empty.body['errors'] }).toEqual({
      status: 400,
      errors: [{ path: '', message: 'must contain at least one change' }],
    });
  });
});

describe('mails', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUTH_REQUIRE_VERIFIED_EMAIL: 'true' } });
  });
  afterAll(() => app.close());

  const signUp = (email: string, headers: Record<string, string> = {}) =>
    app.client.post('/signup', { email, password: PASSWORD }, headers);

  it('are German for an account that is, with labels and all', async () => {
    const email = freshEmail();
    await signUp(email, GERMAN);
    const { subject, text, html } = await mailTo(app, email, 'verify_email');
    expect(subject).toBe('Bestätigen Sie Ihre E-Mail-Adresse');
    expect(html).toContain('<html lang="de">');
    for (const body of [text, html]) {
      expect(body).toMatch(/Zeit: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC/);
      expect(body).toContain('IP-Adresse: 127.0.0.1');
      expect(body).toContain('Wenn der Link nicht funktioniert');
      expect(body).not.toMatch(/IP address|Device:|When:|If the link/);
    }
  });

  it('are in the language of the account, for every requester and language of the request', async () => {
    const email = freshEmail();
    await signUp(email, GERMAN);
    await app.client.post('/password/forgot', { email }, { 'accept-language': 'en' });
    expect((await mailTo(app, email, 'reset_password')).subject).toBe('Setzen Sie Ihr Passwort zurück');
  });

  it('are English for an account without a language', async () => {
    const email = freshEmail();
    await signUp(email);
    const { subject, html } = await mailTo(app, email, 'verify_email');
    expect(subject).toBe('Verify your e-mail address');
    expect(html).toContain('<html lang="en">');
  });

  it('follow the request where a sign-up repeats one that was never verified', async () => {
    const email = freshEmail();
    await signUp(email, { 'accept-language': 'en' });
    await signUp(email, GERMAN);
    expect((await mailTo(app, email, 'verify_email')).subject).toBe('Bestätigen Sie Ihre E-Mail-Adresse');
    await signUp(email);
    expect((await mailTo(app, email, 'verify_email')).subject).toBe('Verify your e-mail address');
  });

  it('about a deleted account keep its language', async () => {
    const email = freshEmail();
    await signUp(email, GERMAN);
    await app.query(sql`update users set email_verified_at = now() where email = ${email}`);
    const { client } = await signIn(app, email);
    expect((await client.send('DELETE', '/users/me')).status).toBe(204);
    expect((await mailTo(app, email, 'account_deleted')).subject).toBe('Ihr Konto wurde gelöscht');
  });

  it('of an account whose language is not known any more are English', async () => {
    const email = freshEmail();
    await signUp(email);
    await app.query(sql`update users set language = 'fr' where email = ${email}`);
    await app.client.post('/password/forgot', { email }, GERMAN);
    expect((await mailTo(app, email, 'reset_password')).subject).toBe('Reset your password');
    expect((await allMails(app)).length).toBeGreaterThan(0);
  });
});

describe('sent mails', () => {
  let smtp: TestSmtpServer;
  let app: TestApp;
  beforeAll(async () => {
    smtp = await TestSmtpServer.start();
    app = await startApp({
      env: { SMTP_URL: smtp.url(), MAIL_FROM: 'auth@example.com', BRAND_NAME: 'Müller & Söhne' },
    });
  });
  afterAll(async () => {
    await app.close();
    await smtp.stop();
  });

  const kinds = MAIL_KINDS.filter(
    (kind) => !['verify_email', 'change_email', 'reset_password'].includes(kind),
  );

  it.each(kinds)('%s has a German text in every part', async (kind) => {
    const recipient = freshEmail();
    const params = {
      language: 'de',
      factor: 'totp',
      left: '3',
      failures: '12',
      factors: 'removed',
      by: 'admin',
    };
    await add(app, { kind, recipient, params });
    const { headers, text, html } = await until(() => smtp.to(recipient)[0]);
    expect(decoded(headers['subject'])).not.toMatch(ENGLISH_WORDS);
    expect(html).toContain('<html lang="de">');
    expect(text).toMatch(GERMAN_WORDS);
    expect(text.replaceAll(/https?:\S+/g, '')).not.toMatch(ENGLISH_WORDS);
  });

  it('come from the name of the service', async () => {
    const recipient = freshEmail();
    await add(app, { kind: 'new_device', recipient });
    const { headers, from } = await until(() => smtp.to(recipient)[0]);
    expect(from).toBe('auth@example.com');
    expect(headers['from']).toMatch(/<auth@example\.com>$/);
    expect(decoded(headers['from'])).toContain('Müller & Söhne');
  });
});
