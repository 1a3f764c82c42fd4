import { withClient } from './databases.mjs';

/** Tables that are too large to be read from end to end. */
const LARGE = ['users', 'sessions', 'refresh_tokens', 'audit_events', 'known_devices'];

/** Rows. */
const A_FEW = 100;

const ADMINISTERS = /^(begin|commit|rollback|start transaction|set |listen |show )/i;

/**
 * Explains what was heard of one call, in its order and in one transaction that is rolled back: a statement that depends on
 * one before finds what that one made.
 *
 * @returns for each statement its plan in a line, and the large tables that it reads from end to end.
 */
export async function explainAll(databaseUrl, statements) {
  const asked = statements.filter(({ text }) => text !== '' && !ADMINISTERS.test(text.trim()));
  return withClient(databaseUrl, async (client) => {
    // Triggers would note and notify what is rolled back anyway; and the statements are what is measured.
    await client.query('begin; set local session_replication_role = replica');
    const explained = [];
    try {
      for (const { text, values } of asked) explained.push(await explain(client, text, values));
    } finally {
      await client.query('rollback');
    }
    return explained;
  });
}

async function explain(client, text, values) {
  await client.query('savepoint one');
  const ask = async (options) => {
    const { rows } = await client.query(`explain (${options}, format json) ${text}`, values);
    return rows[0]['QUERY PLAN'][0];
  };
  let explained;
  try {
    explained = await ask('analyze, buffers');
  } catch {
    // It was done already, as with a row that must be unique: the plan alone.
    await client.query('rollback to savepoint one');
    explained = await ask('costs');
  }
  await client.query('release savepoint one');
  const nodes = [...nodesOf(explained.Plan)];
  return {
    statement: shorten(text),
    reads: nodes.map(readOf).filter(Boolean),
    seqScans: nodes.filter(readsAll).map((node) => node['Relation Name']),
    buffers: (explained.Plan['Shared Hit Blocks'] ?? 0) + (explained.Plan['Shared Read Blocks'] ?? 0),
    rowsRemoved: nodes.reduce((sum, node) => sum + (node['Rows Removed by Filter'] ?? 0), 0),
    ms: explained['Execution Time'] ?? null,
  };
}

/** Whether a plan reads a large table completely. A check for existence stops at the first row. */
function readsAll(node) {
  if (node['Node Type'] !== 'Seq Scan' || !LARGE.includes(node['Relation Name'])) return false;
  const read = (node['Actual Rows'] ?? Infinity) + (node['Rows Removed by Filter'] ?? 0);
  return read * (node['Actual Loops'] ?? 1) > A_FEW;
}

function* nodesOf(plan) {
  yield plan;
  for (const inner of plan.Plans ?? []) yield* nodesOf(inner);
}

function readOf(node) {
  if (node['Index Name'])
    return `${node['Node Type'].replace(' Scan', '').toLowerCase()} ${node['Index Name']}`;
  return node['Node Type'] === 'Seq Scan' ? `seq ${node['Relation Name']}` : null;
}

function shorten(text) {
  const line = text.replace(/\s+/g, ' ').trim();
  return line.length > 110 ? `${line.slice(0, 107)}…` : line;
}
