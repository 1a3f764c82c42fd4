/** Columns of text, aligned under their titles; those of numbers to the right. */
export function table(titles, rows) {
  const cells = rows.map((row) => row.map(String));
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...cells.map((row) => row[column].length)),
  );
  const isNumber = titles.map((_, column) => rows.every((row) => /^[-\d.,×–\s]*$/.test(String(row[column]))));
  const line = (row) =>
    row
      .map((cell, column) => (isNumber[column] ? cell.padStart(widths[column]) : cell.padEnd(widths[column])))
      .join('  ')
      .trimEnd();
  return [titles, ...cells].map(line).join('\n');
}
