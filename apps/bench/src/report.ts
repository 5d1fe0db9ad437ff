// The output of a bench: a table for people, then one JSON object a result.

/** One result: a `value`, or a `ratio` (above 1: ours is faster) of two sides. */
export type Result = Readonly<Record<string, string | number>> &
  ({ readonly value: number } | { readonly ratio: number });

/** A table padded to the widest cells; numbers to the right. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const cells = [head, ...rows].map((row) => row.map(String));
  const widths = head.map((_, j) => Math.max(...cells.map((row) => (row[j] ?? '').length)));
  const toTheRight = head.map(
    (_, j) => rows.length > 0 && rows.every((row) => !Number.isNaN(Number(row[j]))),
  );
  const line = (row: readonly string[]): string =>
    row
      .map((cell, j) =>
        toTheRight[j] ? cell.padStart(widths[j] as number) : cell.padEnd(widths[j] as number),
      )
      .join('  ')
      .trimEnd();
  const [title = '', ...body] = cells.map(line);
  return [title, widths.map((width) => '-'.repeat(width)).join('  '), ...body].join('\n');
}

/** Four significant digits, more than the noise allows. */
export const rounded = (value: number): number => Number(value.toPrecision(4));

export const meanOf = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/** The seeds in a result. */
export const seedsLabel = (seeds: readonly number[]): number | string =>
  seeds.length === 1 ? (seeds[0] as number) : seeds.join(',');

export function printResults(results: readonly Result[]): void {
  for (const result of results) console.log(JSON.stringify(result));
}
