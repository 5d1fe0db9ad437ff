// What a bench prints: a table for people, then one JSON object a result as the last lines.

/** Figures of one result: `value`, or `ratio` (above 1: ours is faster) where two sides are compared. */
export type Result = Readonly<Record<string, string | number>> &
  ({ readonly value: number } | { readonly ratio: number });

/** Columns padded to their widest cell; numbers to the right. */
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

/** Four significant digits, which is more than the noise leaves. */
export const rounded = (value: number): number => Number(value.toPrecision(4));

export const meanOf = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

/** How a result names its seeds. */
export const seedsLabel = (seeds: readonly number[]): number | string =>
  seeds.length === 1 ? (seeds[0] as number) : seeds.join(',');

export function printResults(results: readonly Result[]): void {
  for (const result of results) console.log(JSON.stringify(result));
}
