/** PostgreSQL writes an offset of whole hours as `+01`; ISO 8601 has `+01:00`, and a `Date` guesses at all else. */
const HOURS_ALONE = /([+-]\d\d)$/;

/**
 * How values of these PostgreSQL types are read, by the OID of the type. The embedded database and servers use the same
 * parsers, so that a column has one type in TypeScript. The other types that columns have are alike in both drivers.
 */
export const COLUMN_PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  /** `bytea`, as `\x` and hexadecimal digits. */
  17: (text) => Buffer.from(text.slice(2), 'hex'),
  /** `bigint`, and what `count(*)` gives. */
  20: safeInteger,
  /** `timestamptz`. A `Date` drops microseconds: where they matter, a statement selects text. */
  1184: (text) => new Date(text.replace(' ', 'T').replace(HOURS_ALONE, '$1:00')),
};

/** @throws RangeError for an integer that a `number` would round: such a statement has to select text. */
function safeInteger(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`the integer ${text} does not fit into a number`);
  return value;
}
