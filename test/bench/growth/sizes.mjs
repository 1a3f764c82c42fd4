import pg from 'pg';

const TABLES = ['users', 'known_devices', 'sessions', 'refresh_tokens', 'audit_events', 'revocations'];

/** What a row of each table takes on disk: rows, bytes of the heap and of the indexes, and both for one row. */
export async function sizesOf(databaseUrl) {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const sizes = [];
    for (const table of TABLES) {
      const {
        rows: [row],
      } = await client.query(
        // prettier-ignore
        `select count(*)::float8 as rows, pg_table_size('${table}')::float8 as heap, pg_indexes_size('${table}')::float8 as indexes from ${table}`,
      );
      const bytesOf = (bytes) => (row.rows === 0 ? 0 : Math.round(bytes / row.rows));
      sizes.push({
        table,
        rows: row.rows,
        mib: Math.round((row.heap + row.indexes) / 2 ** 20),
        heapPerRow: bytesOf(row.heap),
        indexesPerRow: bytesOf(row.indexes),
        bytesPerRow: bytesOf(row.heap + row.indexes),
      });
    }
    const { rows: indexes } = await client.query(
      `select i.indexrelid::regclass::text as name, pg_relation_size(i.indexrelid)::float8 as bytes, c.reltuples as entries
       from pg_index i join pg_class c on c.oid = i.indexrelid
       where i.indrelid = any (array['users', 'sessions', 'refresh_tokens']::regclass[]) order by 1`,
    );
    return { tables: sizes, indexes };
  } finally {
    await client.end();
  }
}
