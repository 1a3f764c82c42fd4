import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type RawBuilder, sql } from 'kysely';
import { Audit } from '../../src/audit/audit.service.js';
import { AuditSealer } from '../../src/audit/audit-sealer.service.js';
import { type ChainPlace } from '../../src/audit/chain-head.js';
import { ChainKeyDoesNotFit } from '../../src/audit/chain-key.js';
import { verifyChain } from '../../src/audit/chain-verification.js';
import { KeyInventory } from '../../src/auth/keys/key-inventory.service.js';
import type { Queries } from '../../src/platform/database/database.js';
import { startApp, TEST_SECRET, type TestApp } from '../support/app.js';
import { onServer } from '../support/database.js';
import { until } from '../support/process.js';
import {
  asOwner,
  countOf,
  databaseOf,
  headOf,
  recordSome,
  sealAll,
  service,
  verify,
} from '../support/audit-events.js';

/** Some things need transactions that run at once: the embedded database has one connection. */
const itOnServer = onServer ? it : it.skip;

const OTHER_SECRET = 'Zt7wQ2rN9xK4mV8bJ3hF6yD1sL5cG0pAeUoIiRkTqBnW';

class RolledBack extends Error {}

/** Does something as somebody who owns the database, in a transaction that never was. */
async function inPassing<T>(app: TestApp, work: (tx: Queries) => Promise<T>): Promise<T> {
  let result: { value: T } | undefined;
  await databaseOf(app)
    .transaction(async (tx) => {
      await tx.query(sql`set local session_replication_role = replica`);
      result = { value: await work(tx) };
      throw new RolledBack();
    })
    .catch((error: unknown) => {
      if (!(error instanceof RolledBack)) throw error;
    });
  if (!result) throw new Error('nothing came of it');
  return result.value;
}

describe('audit chain', () => {
  let app: TestApp;
  let noted: ChainPlace;
  beforeAll(async () => {
    app = await startApp();
    await recordSome(app, 20);
    await sealAll(app);
    noted = await headOf(app);
    await recordSome(app, 20);
    await sealAll(app);
  });
  afterAll(() => app.close());

  it('is complete: every event has its place, and an earlier head is still in it', async () => {
    const head = await headOf(app);
    const report = await verify(databaseOf(app), noted);
    expect(report).toMatchObject({ broken: null, events: Number(head.seq), head });
    expect(await verify(databaseOf(app), head)).toMatchObject({ broken: null });
    const [row] = await app.query(
      sql<{
        places: number;
        last: number;
      }>`select count(distinct seq)::int as places, max(seq)::int as last from audit_events where seq is not null`,
    );
    expect(row).toEqual({ places: Number(head.seq), last: Number(head.seq) });
  });

  const zeros = sql`decode(repeat('00', 32), 'hex')`;
  const TAMPERINGS: [string, string, number, RawBuilder<unknown>[]][] = [
    [
      'another detail',
      'changed',
      7,
      [sql`update audit_events set details = '{"number": 400}' where seq = 7`],
    ],
    [
      'another person',
      'changed',
      7,
      [sql`update audit_events set user_id = gen_random_uuid() where seq = 7`],
    ],
    [
      'another time',
      'changed',
      7,
      [sql`update audit_events set at = at + interval '1 microsecond' where seq = 7`],
    ],
    ['no address any more', 'changed', 7, [sql`update audit_events set ip = '' where seq = 7`]],
    ['another transaction', 'changed', 7, [sql`update audit_events set xact = xact + 1 where seq = 7`]],
    ['another hash', 'changed', 7, [sql`update audit_events set hash = ${zeros} where seq = 7`]],
    [
      'another last event',
      'changed',
      0,
      [sql`update audit_events set actor = 'user' where seq = (select max(seq) from audit_events)`],
    ],
    ['one deleted', 'missing', 7, [sql`delete from audit_events where seq = 7`]],
    ['the first deleted', 'missing', 1, [sql`delete from audit_events where seq = 1`]],
    [
      'one deleted, and the rest moved up',
      'missing',
      7,
      [
        sql`delete from audit_events where seq = 7`,
        sql`update audit_events set seq = -seq where seq > 7`,
        sql`update audit_events set seq = -seq - 1 where seq < 0`,
        sql`update audit_chain set head_seq = head_seq - 1`,
      ],
    ],
    [
      'one inserted, and the rest moved down',
      'inserted',
      7,
      [
        sql`update audit_events set seq = -seq where seq >= 7`,
        sql`update audit_events set seq = -seq + 1 where seq < 0`,
        sql`insert into audit_events (id, kind, actor, seq, hash) values (gen_random_uuid(), 'login', 'user', 7, ${zeros})`,
        sql`update audit_chain set head_seq = head_seq + 1`,
      ],
    ],
    [
      'one inserted behind the head',
      'changed',
      0,
      [
        sql`insert into audit_events (id, kind, actor, seq, hash)
            values (gen_random_uuid(), 'login', 'user', (select max(seq) + 1 from audit_events), ${zeros})`,
      ],
    ],
    [
      'two that changed places',
      'reordered',
      7,
      [
        sql`update audit_events set seq = -seq where seq in (7, 8)`,
        sql`update audit_events set seq = 15 + seq where seq < 0`,
      ],
    ],
    [
      'two apart that changed places',
      'reordered',
      7,
      [
        sql`update audit_events set seq = -seq where seq in (7, 12)`,
        sql`update audit_events set seq = 19 + seq where seq < 0`,
      ],
    ],
    [
      'two that changed what they say',
      'reordered',
      7,
      [
        sql`update audit_events set seq = -seq where seq in (7, 8)`,
        sql`update audit_events e set hash = o.hash, seq = 15 + e.seq from audit_events o
            where e.seq < 0 and o.seq < 0 and e.id <> o.id`,
      ],
    ],
    ['the tail cut off', 'cut', 31, [sql`delete from audit_events where seq > 30`]],
    ['all gone', 'cut', 1, [sql`delete from audit_events`]],
    [
      'the start cut off, as if its time were over',
      'cut_at_start',
      10,
      [
        sql`update audit_chain set first_seq = 10, first_hash = (select hash from audit_events where seq = 10)`,
        sql`delete from audit_events where seq <= 10`,
      ],
    ],
    [
      'the start cut off, and a record that its time was over',
      'cut_at_start',
      10,
      [
        sql`update audit_chain set first_seq = 10, first_hash = (select hash from audit_events where seq = 10)`,
        sql`delete from audit_events where seq <= 10`,
        sql`insert into audit_events (id, kind, actor, details)
            values (gen_random_uuid(), 'audit_pruned', 'system', '{"through": "10", "events": 10}')`,
      ],
    ],
    ['no chain any more', 'no_chain', 1, [sql`delete from audit_chain`]],
  ];

  it.each(TAMPERINGS)('detects %s: %s', async (_what, fault, seq, statements) => {
    const head = await headOf(app);
    const report = await inPassing(app, async (tx) => {
      for (const statement of statements) await tx.query(statement);
      return verify(tx);
    });
    const place = seq === 0 ? report.broken?.seq : BigInt(seq);
    expect(report.broken).toMatchObject({ fault, seq: place });
    expect((await verify(databaseOf(app), head)).broken).toBeNull();
  });

  it('detects a cut tail and head with a head that was noted elsewhere', async () => {
    const head = await headOf(app);
    const cut = sql`with gone as (delete from audit_events where seq > 30 returning 1)
      update audit_chain set head_seq = 30, head_hash = (select hash from audit_events where seq = 30)`;
    const [alone, compared] = await inPassing(app, async (tx) => {
      await tx.query(cut);
      return [await verify(tx), await verify(tx, head)];
    });
    // What follows is only as good as where the head is kept.
    expect(alone?.broken).toBeNull();
    expect(compared?.broken).toEqual({ fault: 'cut', seq: 31n, id: null });
    const other = { seq: noted.seq, hash: head.hash };
    expect((await verify(databaseOf(app), other)).broken).toMatchObject({
      fault: 'another_head',
      seq: noted.seq,
    });
  });

  it('cannot be verified or continued with other secrets', async () => {
    await expect(verifyChain(databaseOf(app), [OTHER_SECRET])).rejects.toBeInstanceOf(ChainKeyDoesNotFit);
    const foreign = new AuditSealer(databaseOf(app), { AUTH_SECRETS: [OTHER_SECRET] });
    const failure = await until(async () => {
      // This node may be quicker.
      await recordSome(app, 1);
      return foreign.seal().then(
        () => undefined,
        (error: unknown) => error,
      );
    });
    expect(failure).toBeInstanceOf(ChainKeyDoesNotFit);
    await sealAll(app);
    expect((await verify(databaseOf(app))).broken).toBeNull();
  });

  it('is readable with the new secret alone after a rewrap [J16]', async () => {
    const rewrap = async (secrets: [string, ...string[]]) => {
      const config = { ...app.config.auth, AUTH_SECRETS: secrets };
      const { auditChain, othersMayLeaveAt } = await new KeyInventory(databaseOf(app), config).rewrap();
      return [auditChain, othersMayLeaveAt !== null];
    };
    expect(await rewrap([OTHER_SECRET])).toEqual(['unopened', false]);
    expect(await rewrap([OTHER_SECRET, TEST_SECRET])).toEqual(['rewrapped', true]);
    expect(await rewrap([OTHER_SECRET, TEST_SECRET])).toEqual(['kept', true]);
    expect((await verifyChain(databaseOf(app), [OTHER_SECRET], noted)).broken).toBeNull();
    await expect(verify(databaseOf(app))).rejects.toBeInstanceOf(ChainKeyDoesNotFit);
    expect(await rewrap([TEST_SECRET, OTHER_SECRET])).toEqual(['rewrapped', true]);
    expect((await verify(databaseOf(app), noted)).broken).toBeNull();
  });

  it('two nodes that seal concurrently under load build one chain without a gap [fault 9]', async () => {
    const other = await startApp({ sibling: app });
    const nodes = [app, other];
    const before = await countOf(databaseOf(app), sql`audit_events`);
    const recording = nodes.flatMap((node) => Array.from({ length: 6 }, () => recordSome(node, 25)));
    const sealing = nodes.flatMap((node) =>
      Array.from({ length: 2 }, async () => {
        for (let round = 0; round < 15; round += 1) await service(node, AuditSealer).seal();
      }),
    );
    await Promise.all([...recording, ...sealing]);
    await sealAll(app);
    const head = await headOf(app);
    expect(await countOf(databaseOf(app), sql`audit_events`)).toBe(before + 300);
    expect(Number(head.seq)).toBe(before + 300);
    expect((await verify(databaseOf(app), noted)).broken).toBeNull();
    await recordSome(other, 3);
    await other.close();
    // Fault 11: what it recorded until it stopped is sealed, by itself or the other one.
    await until(async () => (await verify(databaseOf(app))).unsealed.events === 0 || undefined, 5_000);
  });

  itOnServer('recording never waits for sealing, and a late commit still gets its place', async () => {
    const audit = service(app, Audit);
    const head = await headOf(app);
    let release: () => void = () => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    let began: () => void = () => undefined;
    const hasBegun = new Promise<void>((resolve) => (began = resolve));
    const late = databaseOf(app).transaction(async (tx) => {
      await audit.record({ kind: 'email_changed', userId: null }, tx);
      began();
      await released;
    });
    await hasBegun;
    // Recorded and committed behind it: it must not get a place before what was begun earlier.
    await audit.record({ kind: 'email_verified', userId: null });
    for (let round = 0; round < 3; round += 1) await service(app, AuditSealer).seal();
    const meanwhile = await headOf(app);
    const { unsealed } = await verify(databaseOf(app));
    release();
    await late;
    expect([meanwhile.seq, unsealed.events]).toEqual([head.seq, 1]);
    await sealAll(app);
    const sealed = await app.query(
      sql<{
        kind: string;
      }>`select kind from audit_events where seq > ${head.seq.toString()}::bigint order by seq`,
    );
    expect(sealed.map(({ kind }) => kind)).toEqual(['email_changed', 'email_verified']);
    expect((await verify(databaseOf(app))).broken).toBeNull();
  });

  it('seals events that were restored from a server with higher numbers', async () => {
    const head = await headOf(app);
    await asOwner(
      app,
      sql`insert into audit_events (id, kind, actor, xact) values (gen_random_uuid(), 'login', 'user', 4000000000000)`,
    );
    await recordSome(app, 1);
    await sealAll(app);
    expect((await headOf(app)).seq).toBe(head.seq + 2n);
    expect((await verify(databaseOf(app))).broken).toBeNull();
  });

  it('logs its head regularly', async () => {
    const line = await until(() => app.logs.find(({ event }) => event === 'audit_head'));
    const [row] = await app.query(
      sql<{
        hash: string;
      }>`select encode(hash, 'hex') as hash from audit_events where seq = ${Number(line['seq'])}`,
    );
    expect(line).toMatchObject({ level: 'info', hash: row?.hash });
  });
});
