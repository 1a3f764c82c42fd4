import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Client } from './client.mjs';
import { root, withClient } from './databases.mjs';
import { processorTime } from './processor-time.mjs';
import { startService } from './service.mjs';
import { median, quantile, quartiles } from './statistics.mjs';

/** Rows that are looked for: ended so long ago that no other seeded row goes with them, whatever the age of the database. */
const RETENTION = 400 * 86_400;
/** Rows in a batch, as the purge begins with. */
const BATCH = 500;
const LINKS = 3;

async function built(path) {
  return import(pathToFileURL(join(root, 'dist', 'src', path)).href);
}

/** Adds sessions that ended 500 days ago, of accounts by chance; every second has tokens. */
async function addOldSessions(databaseUrl, count) {
  await withClient(databaseUrl, async (client) => {
    await client.query(
      `set session_replication_role = replica; set synchronous_commit = off; set statement_timeout = 0`,
    );
    const { rows: owners } = await client.query('select id from users order by random() limit 1000');
    const ids = owners.map(({ id }) => id);
    const { rows } = await client.query(
      `insert into sessions (id, user_id, strategy, secret_hash, methods, created_at, authenticated_at, last_used_at, expires_at, ip)
       select gen_random_uuid(), ($2::uuid[])[1 + n % $3::int], case n % 2 when 0 then 'session' else 'jwt' end,
         case n % 2 when 0 then sha256(convert_to('old ' || n || clock_timestamp(), 'UTF8')) end, '{pwd}',
         at - interval '30 days', at - interval '30 days', at, at, '192.0.2.1'
       from (select n, now() - interval '500 days' + make_interval(secs => n) as at from generate_series(1, $1::int) as n) as dated
       returning id, strategy`,
      [count, ids, ids.length],
    );
    await client.query(
      `insert into refresh_tokens (token_hash, session_id, parent_hash, issued_at, redeemed_at)
       select sha256(convert_to(id::text || step, 'UTF8')), id, case when step > 1 then sha256(convert_to(id::text || step - 1, 'UTF8')) end,
         now() - interval '500 days', case when step < ${LINKS} then now() - interval '500 days' end
       from unnest($1::uuid[]) as id, generate_series(1, ${LINKS}) as step`,
      [rows.filter(({ strategy }) => strategy === 'jwt').map(({ id }) => id)],
    );
  });
}

/** What the product's own batches cost on several databases, in turns: CPU time of PostgreSQL and time, for one session. */
export async function measurePurge(databases, rounds) {
  const { ExpiredSessions } = await built('auth/sessions/expired-sessions.js');
  const { RefreshTokens } = await built('auth/strategies/jwt/refresh-tokens.service.js');
  const { openDatabase } = await built('platform/database/open.database.js');
  const { ENTITIES } = await built('entities.js');
  const targets = [];
  for (const { name, databaseUrl } of databases) {
    await addOldSessions(databaseUrl, BATCH * (rounds + 1));
    const open = await openDatabase(
      { DATABASE_URL: databaseUrl, DATABASE_POOL_SIZE: 2, DATA_DIR: '' },
      ENTITIES,
      () => undefined,
    );
    const purge = new ExpiredSessions('expires_at', RETENTION, [RefreshTokens.prototype.clear]);
    targets.push({ name, databaseUrl, open, purge, samples: [] });
  }
  try {
    for (let round = -1; round < rounds; round += 1) {
      for (const target of round % 2 === 0 ? targets : targets.toReversed()) {
        const sample = await purgeOnce(target);
        if (round >= 0) target.samples.push(sample);
      }
    }
  } finally {
    for (const { open } of targets) await open.close();
  }
  const [first] = targets;
  const last = targets.at(-1);
  const figure = (of) => {
    const ratios = last.samples.map((sample, round) => sample[of] / first.samples[round][of]);
    const medians = targets.map(({ name, samples }) => [name, median(samples.map((sample) => sample[of]))]);
    return { medians: Object.fromEntries(medians), ratio: median(ratios), quartiles: quartiles(ratios) };
  };
  return { batch: BATCH, figures: { ms: figure('ms'), database: figure('database') } };
}

async function purgeOnce({ databaseUrl, open: { database }, purge }) {
  const pids = async () => {
    const rows = await withClient(databaseUrl, (client) =>
      client.query(
        `select pid from pg_stat_activity where datname = current_database() and application_name = 'traffy'`,
      ),
    );
    return rows.rows.map(({ pid }) => pid);
  };
  const spent = async () => {
    let sum = 0;
    for (const pid of await pids()) sum += processorTime(pid) ?? 0;
    return sum;
  };
  // It opens its connection ahead.
  await database.ping(5_000);
  const before = await spent();
  const since = performance.now();
  let purged;
  do {
    purged = await database.transaction((tx) => purge.batch(tx, BATCH));
  } while (purged.count === 0 && purged.hasMore);
  const ms = performance.now() - since;
  if (purged.count !== BATCH) throw new Error(`a batch purged ${purged.count} sessions instead of ${BATCH}`);
  return { ms, database: ((await spent()) - before) / BATCH / 1000 };
}

/** How long requests take while a node purges, and how quickly it does, on one database. */
export async function purgeBesideRequests(database, count, tell) {
  const { databaseUrl } = database;
  const left = () =>
    withClient(databaseUrl, async (client) => {
      const { rows } = await client.query(
        `select count(*)::int as count from sessions where expires_at < now() - make_interval(secs => ${RETENTION})`,
      );
      return rows[0].count;
    });
  const service = await startService(databaseUrl);
  const client = new Client(service.origin);
  const ask = async () => {
    const n = database.nextCookie();
    const { status, ms } = await client.send('GET', '/users/me', database.cookieHeader(n));
    if (status !== 200) throw new Error(`GET /users/me answered ${status}`);
    return ms;
  };
  try {
    const without = [];
    for (let request = 0; request < 300; request += 1) without.push(await ask());
    await addOldSessions(databaseUrl, count);
    tell(`waiting for the purge of ${count} sessions to begin, a minute or two`);
    while ((await left()) === count) await new Promise((resolve) => setTimeout(resolve, 500));
    const since = performance.now();
    const first = await left();
    const during = [];
    let last = first;
    while (last > 0) {
      const until = performance.now() + 1_000;
      while (performance.now() < until) {
        during.push(await ask());
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      last = await left();
    }
    const seconds = (performance.now() - since) / 1000;
    const summary = (times) => ({ p50: median(times), p99: quantile(times, 0.99), max: Math.max(...times) });
    return {
      sessions: first,
      perSecond: first / seconds,
      without: summary(without),
      during: summary(during),
    };
  } finally {
    client.close();
    await service.stop();
  }
}
