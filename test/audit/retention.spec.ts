import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { sql } from 'kysely';
import { Audit } from '../../src/audit/audit.service.js';
import { AuditRetention } from '../../src/audit/audit-retention.service.js';
import { Purger } from '../../src/platform/retention/purger.service.js';
import { startApp, type TestApp } from '../support/app.js';
import { signIn } from '../support/strategies.js';
import {
  asOwner,
  countOf,
  databaseOf,
  events,
  headOf,
  recordSome,
  sealAll,
  service,
  type StoredEvent,
  verify,
} from '../support/audit-events.js';

describe('AUDIT_RETENTION', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp({ env: { AUDIT_RETENTION: '30d' } });
  });
  afterAll(() => app.close());

  it('deletes the oldest events only, and the rest can still be verified', async () => {
    await recordSome(app, 10);
    // Made old before they are sealed.
    await asOwner(app, sql`update audit_events set at = at - interval '31 days'`);
    await recordSome(app, 5, 'admin_viewed');
    await sealAll(app);
    const noted = await headOf(app);
    const retention = service(app, AuditRetention);
    const old = await countOf(databaseOf(app), sql`audit_events where at < now() - interval '30 days'`);
    const prune = () => databaseOf(app).transaction((tx) => retention.batch(tx, 5_000));
    expect(await prune()).toEqual({ count: old, hasMore: false });
    // Before its own record is sealed, and after.
    expect((await verify(databaseOf(app), noted)).broken).toBeNull();
    await sealAll(app);
    const report = await verify(databaseOf(app), noted);
    expect(report).toMatchObject({ broken: null, first: { seq: BigInt(old) } });
    expect(await countOf(databaseOf(app), sql`audit_events where kind = 'admin_viewed'`)).toBe(5);
    const [pruned] = await events(app, sql`kind = 'audit_pruned'`);
    expect(pruned).toMatchObject({ actor: 'system', details: { events: old, through: String(old) } });
    expect((await prune()).count).toBe(0);
    // A head from before that can only be compared where it is the last that was deleted.
    const [last, before] = [
      { seq: BigInt(old), hash: report.first?.hash ?? noted.hash },
      { ...noted, seq: 1n },
    ];
    expect((await verify(databaseOf(app), last)).broken).toBeNull();
    expect((await verify(databaseOf(app), before)).broken).toMatchObject({ fault: 'head_too_old' });
  });

  it('leaves a chain that continues after all events have expired', async () => {
    await recordSome(app, 3);
    await sealAll(app);
    const impatient = new AuditRetention(service(app, Audit), { AUDIT_RETENTION: 0 }, app.config.auth);
    const { count } = await databaseOf(app).transaction((tx) => impatient.batch(tx, 5_000));
    expect(count).toBeGreaterThan(3);
    const { broken, events: left, first, head } = await verify(databaseOf(app));
    expect([broken, left, first]).toEqual([null, 0, head]);
    await recordSome(app, 2);
    await sealAll(app);
    // With what the deletion recorded of itself.
    expect(await verify(databaseOf(app), head)).toMatchObject({ broken: null, events: 3 });
  });
});

describe('attempts of unknown clients', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startApp();
  });
  afterAll(() => app.close());

  const attempt = (ip: string, email: string, userId: string | null = null) =>
    service(app, Audit).recordAttempt({
      kind: 'login_failed',
      userId,
      email,
      client: { ip, userAgent: null, requestId: 'r' },
      details: { reason: 'wrong' },
    });
  const from = (ip: string) => events(app, sql`ip = ${ip}`);

  it('records the first ten of a network per minute, then fewer, with their number [G3, O1]', async () => {
    await Promise.all(Array.from({ length: 100 }, (_, i) => attempt('192.0.2.7', `nobody${i}@example.com`)));
    const recorded = await from('192.0.2.7');
    // Over the end of a minute it begins anew.
    expect(recorded.length).toBeGreaterThanOrEqual(12);
    expect(recorded.length).toBeLessThanOrEqual(30);
    const numbers = recorded.flatMap(({ details }) =>
      'attempt' in details ? [Number(details['attempt'])] : [],
    );
    expect(numbers).toContain(16);
    expect(numbers.filter((number) => number < 16 || !Number.isInteger(Math.log2(number)))).toEqual([]);
  });

  it('records a bounded number per minute for any number of networks [G3]', async () => {
    // Of a minute that has not begun, so that none ends meanwhile.
    await app.query(
      sql`insert into audit_counters (kind, subject, began_at, count)
          select 'login_failed', 'unknown/' || n, now() + interval '1 minute', 60 from generate_series(0, 15) n
          on conflict (kind, subject) do update set began_at = excluded.began_at, count = 60`,
    );
    await Promise.all(
      Array.from({ length: 320 }, (_, i) => attempt(`10.1.${i >> 4}.${i & 15}`, `nobody.${i}@example.com`)),
    );
    const recorded = await events(app, sql`ip like '10.1.%'`);
    // The 64th in each of the parts, and of none another.
    expect(recorded.map(({ details }) => details['attempt_of_all'])).toEqual(
      Array.from({ length: 16 }, () => 64),
    );
    await app.query(sql`update audit_counters set began_at = began_at - interval '5 minutes'`);
  });

  it('records attempts at an existing account, whatever the same network tries elsewhere [O1]', async () => {
    const { client, email } = await signIn(app);
    await Promise.all(Array.from({ length: 40 }, (_, i) => attempt('192.0.2.8', `nobody${i}@example.com`)));
    for (let i = 0; i < 3; i += 1) await attempt('192.0.2.8', email);
    const { body } = await client.get('/users/me/events');
    const failed = body['events'].filter(
      ({ kind, ip }: StoredEvent) => kind === 'login_failed' && ip === '192.0.2.8',
    );
    expect(failed).toHaveLength(3);
  });

  it('purges its counters', async () => {
    expect(await countOf(databaseOf(app), sql`audit_counters`)).toBeGreaterThan(0);
    await app.query(sql`update audit_counters set began_at = began_at - interval '5 minutes'`);
    await service(app, Purger).purge();
    expect(await countOf(databaseOf(app), sql`audit_counters`)).toBe(0);
  });
});
