import { table } from './table.mjs';

const print = (text) => process.stdout.write(`${text}\n\n`);
const round = (value) =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);

export function printSizes({ tables, indexes }) {
  print(
    table(
      ['table', 'rows', 'MiB', 'bytes a row', 'of the row', 'of its indexes'],
      tables.map((row) => [row.table, row.rows, row.mib, row.bytesPerRow, row.heapPerRow, row.indexesPerRow]),
    ),
  );
  print(
    table(
      ['index', 'MiB'],
      indexes.map(({ name, bytes }) => [name, (bytes / 2 ** 20).toFixed(0)]),
    ),
  );
}

export function printPlans(flows) {
  print(
    table(
      ['flow', 'statements', 'buffers', 'ms', 'read from end to end'],
      flows.map(({ flow, plans }) => [
        flow,
        plans.length,
        plans.reduce((sum, { buffers }) => sum + buffers, 0),
        round(plans.reduce((sum, { ms }) => sum + (ms ?? 0), 0)),
        [...new Set(plans.flatMap(({ seqScans }) => seqScans))].join(', ') || 'nothing large',
      ]),
    ),
  );
  for (const { flow, plans } of flows) {
    print(
      `${flow}\n${table(
        ['statement', 'reads', 'buffers', 'rows passed over', 'ms'],
        plans.map(({ statement, reads, buffers, rowsRemoved, ms }) => [
          statement,
          [...new Set(reads)].join(', ') || '–',
          buffers,
          rowsRemoved,
          ms === null ? '–' : ms.toFixed(2),
        ]),
      )}`,
    );
  }
}

const WHAT = [
  ['ms', 'time, ms'],
  ['service', 'CPU of the service, µs'],
  ['database', 'CPU of PostgreSQL, µs'],
  ['both', 'CPU of both, µs'],
];

export function printRatios({ calls = [], purge }) {
  const rows = [
    ...calls,
    ...(purge ? [{ name: `purge of ${purge.batch} sessions`, figures: purge.figures }] : []),
  ].flatMap(({ name, figures }) =>
    WHAT.filter(([figure]) => figures[figure]).map(([figure, title]) => {
      const { medians, ratio, quartiles } = figures[figure];
      return [
        name,
        title,
        round(medians.small),
        round(medians.large),
        ratio.toFixed(2),
        quartiles.map((value) => value.toFixed(2)).join('–'),
      ];
    }),
  );
  print(table(['call', 'figure', 'small', 'large', 'large ÷ small', 'middle half'], rows));
}

export function printPurge({ sessions, perSecond, without, during }) {
  print(
    [
      `${sessions} sessions purged at ${perSecond.toFixed(0)} a second, pauses included`,
      table(
        ['GET /users/me, not yet known', 'p50 ms', 'p99 ms', 'max ms'],
        [
          ['without a purge', ...[without.p50, without.p99, without.max].map(round)],
          ['beside one', ...[during.p50, during.p99, during.max].map(round)],
        ],
      ),
    ].join('\n'),
  );
}
