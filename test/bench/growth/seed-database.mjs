import { hash } from 'argon2';
import pg from 'pg';
import { FUNCTIONS, OLDEST, PASSWORD, SESSION_TTL } from './seeded.mjs';

/** Rows in one statement: a second or two each, so that progress shows and no transaction is long. */
const BATCH = 100_000;
/** Accounts were made over three years. */
const ACCOUNTS_OLDEST = 3 * 365 * 86_400;

/**
 * Indexes that are dropped before rows are inserted and built afterwards, sorted: with random keys that is several
 * times quicker, with the result of the migrations. Keys in the order of time stay.
 */
const BUILT_BEHIND = {
  users: ['users_email_canonical_key', 'users_webauthn_handle_key', 'users_email_canonical_prefix_index'],
  sessions: [
    'sessions_secret_hash_key',
    'sessions_exchange_hash_key',
    'sessions_user_id_created_at_index',
    'sessions_expires_at_index',
    'sessions_revoked_at_index',
    'sessions_not_revoked_index',
  ],
  refresh_tokens: [
    'refresh_tokens_pkey',
    'refresh_tokens_parent_hash_attempt_key',
    'refresh_tokens_session_id_index',
    'refresh_tokens_one_head',
  ],
  audit_events: ['audit_events_user_id_at_index', 'audit_events_seq_key'],
  known_devices: ['known_devices_pkey'],
};

/** There is something in it that is not to be mixed with made-up rows. */
export class DatabaseInUse extends Error {}

/**
 * Fills a migrated and empty database.
 *
 * All rows are inserted by `insert … select` from `generate_series`, so that no row crosses the wire. The connection
 * runs in `session_replication_role = replica`: no trigger fires and no foreign key is checked. Otherwise each
 * revoked session would notify the nodes; no node has cached anything yet.
 *
 * @param options.grown whether to keep indexes while rows are inserted in the order of time: they are then as full as
 * those of a table that grew.
 * @param tell reports progress.
 */
export async function seedDatabase(databaseUrl, { users, sessions, refreshes, grown }, tell) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(
      'select exists (select 1 from users) or exists (select 1 from sessions) as is_used',
    );
    if (rows[0].is_used)
      throw new DatabaseInUse('the database has accounts or sessions already: seed an empty one');
    await client.query(`set session_replication_role = replica; set synchronous_commit = off;
      set maintenance_work_mem = '512MB'; set work_mem = '64MB'; set statement_timeout = 0`);
    await client.query(FUNCTIONS);
    const builds = grown ? [] : await dropIndexes(client);
    const passwordHash = await hash(PASSWORD, { type: 2, memoryCost: 19_456, timeCost: 2, parallelism: 1 });
    // One moment for all: what a formula gives is the same in every batch.
    const { rows: [{ now }] } = await client.query('select now()::text as now'); // prettier-ignore
    const parts = statements({ users, sessions, refreshes, now, passwordHash });
    for (const [what, count, statement, parameters] of parts) {
      await inBatches(client, { what, count, statement, parameters }, tell);
    }
    for (const [what, statement] of builds) {
      const since = performance.now();
      await client.query(statement);
      tell(`built ${what} in ${seconds(since)} s`);
    }
    await client.query('set session_replication_role = origin');
    const since = performance.now();
    await client.query('vacuum (freeze, analyze)');
    tell(`vacuumed in ${seconds(since)} s`);
    await checkReferences(client);
  } finally {
    await client.end();
  }
}

function statements({ users, sessions, refreshes, now, passwordHash }) {
  const accountAt = `$3::timestamptz - make_interval(secs => ${ACCOUNTS_OLDEST} * (1 - n::float8 / ${users}))`;
  const accountOf = (number) =>
    `pg_temp.uuid_at($3::timestamptz - make_interval(secs => ${ACCOUNTS_OLDEST} * (1 - (${number})::float8 / ${users})), 'user', ${number})`;
  const ownerNumber = `(1 + (('x' || substr(md5('owner:' || n), 1, 8))::bit(32)::bigint & 2147483647) % ${users})`;
  // Made over the last 36 days, so that a sixth ran out; one in twenty-five was ended, some hours after it was made.
  const sessionAt = `$3::timestamptz - make_interval(secs => ${OLDEST} * (1 - n::float8 / ${sessions}))`;
  const made = `select n, at, pg_temp.uuid_at(at, 'session', n) as id, ${ownerNumber} as owner, n % 25 = 7 as is_ended,
      at + make_interval(secs => 3600 * (1 + n % 40)) as ended_at
    from (select n, ${sessionAt} as at from generate_series($1::bigint, $2::bigint) as n) as dated`;
  const agents = `(array['Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
    'ExampleApp/4.2.0 (Android 15; Pixel 9)'])[1 + n % 4]`;
  const address = `(198 + n % 2) || '.' || (n % 251) || '.' || (n % 241) || '.' || (n % 239)`;
  const isOver = `is_ended and ended_at < $3::timestamptz`;
  return [
    [
      'users',
      users,
      `insert into users (id, email, email_canonical, password_hash, name, email_verified_at, created_at, updated_at)
       select pg_temp.uuid_at(at, 'user', n), 'person' || n || '@example.com', 'person' || n || '@example.com', $4,
         case when n % 3 = 0 then 'Person ' || n end, case when n % 5 <> 0 then at + interval '1 hour' end, at, at
       from (select n, ${accountAt} as at from generate_series($1::bigint, $2::bigint) as n) as dated`,
      [now, passwordHash],
    ],
    [
      'known_devices',
      users,
      `insert into known_devices (user_id, network, agent_hash, first_seen_at, last_seen_at)
       select ${accountOf('n')}, ${address}, sha256(convert_to(${agents}, 'UTF8')), $3::timestamptz - interval '90 days', $3
       from generate_series($1::bigint, $2::bigint) as n`,
      [now],
    ],
    [
      'sessions',
      sessions,
      `insert into sessions (id, user_id, strategy, secret_hash, created_at, authenticated_at, methods, last_used_at, expires_at,
         revoked_at, revoked_reason, access_expires_at, ip, user_agent)
       select id, ${accountOf('owner')}, case n % 2 when 0 then 'session' else 'jwt' end,
         case n % 2 when 0 then sha256(convert_to('trf_st_' || pg_temp.secret('cookie', n), 'UTF8')) end,
         at, at, '{pwd}', used_at, at + make_interval(secs => ${SESSION_TTL}),
         case when ${isOver} then ended_at end, case when ${isOver} then 'logout' end,
         case n % 2 when 1 then used_at + interval '11 minutes' end, ${address}, ${agents}
       from (select *, case when ${isOver} then ended_at
           else least($3::timestamptz, at + make_interval(secs => ${SESSION_TTL})) - make_interval(secs => n % 86400) * least(1, extract(epoch from $3::timestamptz - at) / 172800) end as used_at
         from (${made}) as made) as used`,
      [now],
    ],
    [
      'refresh_tokens',
      sessions,
      // Every token but the last was redeemed for the next one.
      `insert into refresh_tokens (token_hash, session_id, parent_hash, issued_at, redeemed_at)
       select case when step = ${refreshes} then sha256(convert_to('trf_rt_' || pg_temp.secret('refresh', n), 'UTF8'))
           else sha256(convert_to('link:' || n || ':' || step, 'UTF8')) end,
         id, case when step > 0 then sha256(convert_to('link:' || n || ':' || step - 1, 'UTF8')) end,
         at + make_interval(secs => 600 * step), case when step < ${refreshes} then at + make_interval(secs => 600 * (step + 1)) end
       from (${made}) as made, generate_series(0, ${refreshes}) as step where n % 2 = 1`,
      [now],
    ],
    [
      'audit_events',
      sessions,
      // Negative numbers: the chain of the service starts at 0 and ignores earlier ones.
      `insert into audit_events (id, kind, at, user_id, actor, session_id, ip, user_agent, request_id, details, seq, hash)
       select pg_temp.uuid_at(at, 'event', n), 'login', at, ${accountOf('owner')}, 'user', id, ${address}, ${agents},
         md5('request:' || n)::uuid::text, '{"device": "known", "methods": ["pwd"]}', n - 1 - ${sessions},
         sha256(convert_to('event:' || n, 'UTF8'))
       from (${made}) as made`,
      [now],
    ],
    [
      'revocations',
      Math.ceil(users / 200),
      // Accounts all of whose sessions were declared dead at some time in the last year, before any that there are now.
      `insert into revocations (kind, user_id, issued_before, tokens_expire_at, created_at, expires_at)
       select 'user', ${accountOf('n * 200')}, at, at + interval '25 hours', at, at + interval '401 days'
       from (select n, $3::timestamptz - interval '40 days' - make_interval(days => (n % 300)::int) as at
         from generate_series($1::bigint, $2::bigint) as n) as dated where n * 200 <= ${users}`,
      [now],
    ],
  ];
}

async function inBatches(client, { what, count, statement, parameters }, tell) {
  const since = performance.now();
  let rowCount = 0;
  for (let first = 1; first <= count; first += BATCH) {
    const last = Math.min(count, first + BATCH - 1);
    const result = await client.query(statement, [first, last, ...parameters]);
    rowCount += result.rowCount;
    if (last % (10 * BATCH) === 0) tell(`${what}: ${last} of ${count}`);
  }
  tell(`${what}: ${rowCount} rows in ${seconds(since)} s`);
}

/** Drops the indexes that are built afterwards. @returns the statements that build them. */
async function dropIndexes(client) {
  const builds = [];
  for (const [table, names] of Object.entries(BUILT_BEHIND)) {
    for (const name of names) {
      const { rows: constraints } = await client.query(
        'select pg_get_constraintdef(oid) as definition from pg_constraint where conname = $1 and conrelid = $2::regclass',
        [name, table],
      );
      const { rows: indexes } = await client.query(
        'select indexdef as definition from pg_indexes where indexname = $1 and tablename = $2',
        [name, table],
      );
      if (constraints.length > 0) {
        await client.query(`alter table ${table} drop constraint ${name}`);
        builds.push([name, `alter table ${table} add constraint ${name} ${constraints[0].definition}`]);
      } else if (indexes.length > 0) {
        await client.query(`drop index ${name}`);
        builds.push([name, indexes[0].definition]);
      } else {
        throw new Error(`the schema has no ${name}`);
      }
    }
  }
  return builds;
}

/** Foreign keys were not checked while rows came in: by construction they hold, and this looks. */
async function checkReferences(client) {
  const {
    rows: [{ orphans }],
  } = await client.query(
    // prettier-ignore
    `select (select count(*) from (select user_id from sessions tablesample system (1)) s where not exists (select 1 from users u where u.id = s.user_id))
       + (select count(*) from (select session_id from refresh_tokens tablesample system (1)) t where not exists (select 1 from sessions s where s.id = t.session_id)) as orphans`,
  );
  if (Number(orphans) > 0) throw new Error(`${orphans} rows name a row that is not there`);
}

function seconds(since) {
  return ((performance.now() - since) / 1000).toFixed(1);
}
