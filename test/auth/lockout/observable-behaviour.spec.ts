import { describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { startApp } from '../../support/app.js';
import { PASSWORD, signUp } from '../../support/strategies.js';
import {
  ROOM,
  WRONG,
  HOME,
  OFFICE,
  app,
  bootTwoNodes,
  counters,
  domains,
  email,
  enter,
  expectRefused,
  failBefore,
  guess,
  pass,
  refusals,
  stranger,
  subject,
} from '../../support/lockout.js';

bootTwoNodes();

async function locks(address = email): Promise<Record<string, unknown>[]> {
  const rows = await app.query(
    sql<{ user_id: string; details: Record<string, unknown> }>`select user_id, details from audit_events
      where kind = 'authenticator_locked' and details->>'email' like ${`%@${address.split('@')[1]}`} order by at`,
  );
  return rows.map(({ user_id, details }) => ({ ...details, user_id }));
}

describe('observable behaviour', () => {
  it('every negative answer is identical byte for byte [L5, pain 7]', async () => {
    const strict = await startApp({ env: { ...ROOM, AUTH_REQUIRE_VERIFIED_EMAIL: 'true' }, sibling: app });
    try {
      const at = (name: string) => `${name}@answers.example`;
      for (const name of ['wrong', 'locked', 'disabled', 'unverified', 'nopassword', 'slow'])
        await signUp(app, at(name));
      await app.query(
        sql`update users set email_verified_at = now() where email_canonical like '%@answers.example' and email_canonical not like 'unverified%'`,
      );
      await app.query(sql`update users set disabled_at = now() where email_canonical = ${at('disabled')}`);
      await app.query(sql`update users set password_hash = null where email_canonical = ${at('nopassword')}`);
      await failBefore(80, '', at('locked'));
      await failBefore(9, HOME, at('slow'));
      const cases = [
        { address: at('unknown'), password: WRONG },
        { address: at('unknown'), password: PASSWORD },
        { address: at('wrong'), password: WRONG },
        { address: at('wrong'), password: '' },
        { address: at('locked'), password: WRONG },
        { address: at('locked'), password: PASSWORD },
        { address: at('disabled'), password: PASSWORD },
        { address: at('unverified'), password: PASSWORD },
        { address: at('nopassword'), password: PASSWORD },
        { address: at('slow'), password: WRONG },
        { address: at('slow'), password: PASSWORD },
      ];
      const seen = new Set<string>();
      for (const { address, password } of cases) {
        const { status, headers, text, body } = await guess(strict, { from: HOME, address, password });
        const { date: _, 'x-request-id': id, ...others } = headers;
        expect(body['request_id']).toBe(id);
        seen.add(JSON.stringify([status, others, text.replace(String(id), '')]));
      }
      expect([...seen]).toHaveLength(1);
      expect([...seen][0]).toContain('invalid_credentials');
      const reasons = refusals(at('any'), [strict]).reduce<Record<string, number>>(
        (counts, reason) => ({ ...counts, [String(reason)]: (counts[String(reason)] ?? 0) + 1 }),
        {},
      );
      expect(reasons).toEqual({ wrong: 6, locked: 3, disabled: 1, unverified: 1 });
    } finally {
      await strict.close();
    }
  });

  it('guesses before the account exists do not lock it; later ones do [L4]', async () => {
    const newcomer = `newcomer@lockout${domains}.example`;
    for (let round = 0; round < 12; round += 1)
      expectRefused(await guess(app, { from: HOME, address: newcomer }));
    await app.query(
      sql`update guess_counters set failures = 80, locked_until = now() + interval '15 minutes'
          where subject = ${subject(newcomer)}`,
    );
    expectRefused(await guess(app, { from: OFFICE, address: newcomer, password: PASSWORD }));
    await signUp(app, newcomer);
    for (let round = 0; round < 11; round += 1)
      expectRefused(await guess(app, { from: OFFICE, address: newcomer }));
    expect((await counters(newcomer)).map(({ network, failures }) => [network, failures])).toEqual([
      ['', 10],
      [HOME, 80],
      [OFFICE, 10],
    ]);
    const replies = [OFFICE, HOME].map((from) => guess(app, { from, address: newcomer, password: PASSWORD }));
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([401, 200]);
  });

  it('an unknown address is counted and locked like a known one [L5]', async () => {
    const unknown = `nobody@lockout${domains}.example`;
    const counted: unknown[] = [];
    for (const address of [email, unknown]) {
      for (let round = 0; round < 12; round += 1) expectRefused(await guess(app, { from: HOME, address }));
      counted.push(
        (await counters(address)).map(({ network, failures, left }) => [network, failures, left !== null]),
      );
    }
    expect(counted[0]).toEqual([
      ['', 10, false],
      [HOME, 10, true],
    ]);
    expect(counted[1]).toEqual(counted[0]);
  });

  it('the start of a lock is recorded once in the audit trail and the log', async () => {
    for (let round = 0; round < 12; round += 1) await guess(app, { from: HOME });
    const [user] = await app.query(
      sql<{ id: string }>`select id from users where email_canonical = ${email}`,
    );
    const event = { authenticator: 'password', locked: ['network'], failures: 10, user_id: user?.id };
    expect(await locks()).toMatchObject([event]);
    const masked = `v***@${email.split('@')[1]}`;
    const lines = app.logs.filter(
      (line) => line['event'] === 'authenticator_locked' && line['email'] === masked,
    );
    expect(lines).toMatchObject([
      { ip: HOME, user: user?.id, locked: ['network'], authenticator: 'password' },
    ]);
    await pass();
    await guess(app, { from: HOME });
    expect(await locks()).toHaveLength(2);
    expect((await enter(OFFICE)).status).toBe(200);
    await failBefore(25);
    await guess(app, { from: stranger(1) });
    // A slip from a known network begins no lock while there is one.
    await guess(app, { from: OFFICE });
    expect((await locks()).slice(2)).toMatchObject([{ locked: ['account'], failures: 26 }]);
    expect(app.logText()).not.toContain(WRONG);
  });

  it('a success after five or more wrong guesses is notified with their number [L8]', async () => {
    const mails = () =>
      app.query(
        sql<{
          kind: string;
          params: Record<string, string>;
        }>`select kind, params from outbox_mails
          where recipient = ${email} and kind <> 'verify_email' order by created_at`,
      );
    await failBefore(3);
    await guess(app, { from: stranger(1) });
    expect((await enter(HOME)).status).toBe(200);
    expect(await mails()).toEqual([]);
    await failBefore(6);
    await guess(app, { from: stranger(1) });
    expect((await enter(HOME)).status).toBe(200);
    expect(await mails()).toMatchObject([
      { kind: 'sign_in_after_failures', params: { failures: '7', ip: HOME } },
    ]);
  });
});
