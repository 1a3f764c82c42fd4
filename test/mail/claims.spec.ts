import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { MailComposition } from '../../src/mail/mail-composition.service.js';
import { startApp, type TestApp } from '../support/app.js';

describe('a claimed mail', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  const RECIPIENT = 'owner@example.com';

  /** Composes a mail that was claimed at its first attempt, and whose row is like this by now. */
  async function compose(row: { attempts: number; dueIn: number; state: string }): Promise<string> {
    const [id, nonce] = [uuidv7(), randomBytes(32)];
    await app.query(
      sql`insert into outbox_mails (id, kind, recipient, nonce, state, attempts, next_attempt_at, expires_at)
          values (${id}, 'password_changed', ${RECIPIENT}, ${nonce}, ${row.state}, ${row.attempts},
            now() + make_interval(secs => ${row.dueIn}), now() + interval '1 hour')`,
    );
    const composition = app.running.app.get(MailComposition, { strict: false });
    const params = { ip: '203.0.113.7', user_agent: '' };
    const { outcome } = await composition.compose({
      id,
      kind: 'password_changed',
      userId: null,
      recipient: RECIPIENT,
      params,
      nonce,
      createdAt: new Date(),
      attempt: 1,
    });
    return outcome;
  }

  it.each([
    ['ready', 'is sent while the claim is valid', { attempts: 1, dueIn: 58, state: 'waiting' }],
    ['taken', 'is not sent after another process claimed it', { attempts: 2, dueIn: 58, state: 'waiting' }],
    [
      'taken',
      'is not sent with too little time left to send it',
      { attempts: 1, dueIn: 20, state: 'waiting' },
    ],
    ['taken', 'is not sent again', { attempts: 1, dueIn: 58, state: 'sent' }],
  ])('%s: it %s', async (outcome, _title, row) => {
    expect(await compose(row)).toBe(outcome);
  });
});
