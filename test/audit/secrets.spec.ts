import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp } from '../support/app.js';
import type { Note } from '../support/provoke/common.js';
import { freshEmail, PASSWORD, signIn } from '../support/strategies.js';
import { NASTY, recordNasty, sealAll, type StoredEvent } from '../support/audit-events.js';

const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/;

describe('secrets in audit trail and log', () => {
  const SECRET_FIELDS =
    /^(password|current_password|new_password|token|refresh_token|access_token|mfa_token|code|recovery_code|secret|otpauth_uri|client_secret|signature)$/;

  /** What was sent and answered that opens something, and addresses as they were typed. */
  class Listener {
    readonly secrets = new Set<string>();
    readonly addresses = new Set<string>();

    hear(value: unknown, name = ''): void {
      if (Array.isArray(value)) for (const item of value) this.hear(item, name === 'codes' ? 'code' : name);
      else if (typeof value === 'object' && value !== null)
        for (const [key, inner] of Object.entries(value)) this.hear(inner, key);
      // Problems have a code that is none.
      else if (name === 'code' && /^[a-z_]+$/.test(String(value))) return;
      else if (typeof value === 'string' && SECRET_FIELDS.test(name)) this.secrets.add(value);
      // What is masked in the trail is answered masked: that is no address.
      else if (typeof value === 'string' && name === 'email' && !value.includes('***'))
        this.addresses.add(value);
    }

    hearText(text: unknown): void {
      if (typeof text !== 'string') return;
      try {
        this.hear(JSON.parse(text));
      } catch {
        this.hear(Object.fromEntries(new URLSearchParams(text)));
      }
    }

    hearHeaders(headers: Record<string, unknown>): void {
      for (const line of [headers['cookie'], headers['set-cookie']].flat()) {
        for (const pair of String(line ?? '').split('; ')) {
          const [name = '', value = ''] = pair.split('=');
          if (/session|_token/.test(name)) this.secrets.add(value);
        }
      }
      const [, credential = ''] = String(headers['authorization'] ?? '').split(' ');
      this.secrets.add(credential);
      const [, clientSecret = ''] = Buffer.from(credential, 'base64').toString('latin1').split(':');
      this.secrets.add(clientSecret);
    }
  }

  it('are absent after every endpoint was called [O2]', async () => {
    const app = await startApp({ env: { AUTH_STRATEGY: 'jwt,session' } });
    const listener = new Listener();
    const { app: http } = app.running;
    const adapter = http.getHttpAdapter() as unknown as { inject: unknown };
    const inject = (adapter.inject as (...all: unknown[]) => unknown).bind(adapter) as (
      request: Record<string, unknown>,
    ) => Promise<{
      headers: Record<string, unknown>;
      body: string;
    }>;
    adapter.inject = async (request: Record<string, unknown>) => {
      listener.hearText(request['payload']);
      listener.hearHeaders(request['headers'] as Record<string, unknown>);
      const reply = await inject(request);
      listener.hearText(reply.body);
      listener.hearHeaders(reply.headers);
      return reply;
    };
    const note: Note = async (_name, ...calls) => void (await Promise.all(calls));
    const folder = join(import.meta.dirname, '..', 'support', 'provoke');
    for (const file of readdirSync(folder).filter((name) => name !== 'common.ts')) {
      const capability = (await import(join(folder, file))) as Record<string, unknown>;
      for (const [name, provoke] of Object.entries(capability))
        if (name.startsWith('provoke') && typeof provoke === 'function') await provoke(app, note);
    }
    const person = await signIn(app);
    const { refresh_token } = person.reply.body;
    await app.client.post('/refresh', { refresh_token });
    await app.client.post('/login', { email: person.email, password: 'a wrong and rather long one' });
    await app.client.post('/login', { email: freshEmail(), password: 'of somebody who is not there' });
    await sealAll(app);

    const rows = await app.query(sql<{ text: string }>`select to_jsonb(e)::text as text from audit_events e`);
    const trail = rows.map(({ text }) => text).join('\n');
    const [outbox] = await app.query(
      sql<{ text: string | null }>`select string_agg(to_jsonb(m)::text, ' ') as text from outbox_mails m`,
    );
    const log = app.logText();
    expect(rows.length).toBeGreaterThan(5);
    // Short ones are numbers that stand anywhere: as a whole value they do not.
    const forms = [...listener.secrets].filter((secret) => secret.length >= 6);
    const sought = forms.map((secret) => (secret.length < 10 ? JSON.stringify(secret) : secret));
    expect(sought.length).toBeGreaterThan(10);
    const found = (text: string) => sought.filter((secret) => text.includes(secret));
    expect({ trail: found(trail), log: found(log), outbox: found(outbox?.text ?? '') }).toEqual({
      trail: [],
      log: [],
      outbox: [],
    });
    // Answers may have masked ones; those are what the trail is to have.
    const addresses = [...listener.addresses].filter((address) => /^[^*]+@/.test(address));
    expect(addresses.length).toBeGreaterThan(5);
    expect(addresses.filter((address) => trail.includes(address) || log.includes(address))).toEqual([]);
    await app.close();
  });

  it('a user agent cannot break a log line or a sign-in [O3]', async () => {
    const app = await startApp();
    const { email, headers } = await signIn(app);
    await recordNasty(app, email);
    await app.client.post(
      '/login',
      { email, password: PASSWORD },
      { 'user-agent': NASTY.split('\0')[0] ?? '' },
    );
    const { body } = await app.client.with(headers).get('/users/me/events');
    const renamed = body['events'].find(({ kind }: StoredEvent) => kind === 'passkey_renamed');
    expect(renamed.user_agent).toContain('evil');
    for (const line of app.logText().split('\n').slice(0, -1)) expect(() => JSON.parse(line)).not.toThrow();
    expect(app.logText()).not.toMatch(CONTROLS);
    await app.close();
  });
});
