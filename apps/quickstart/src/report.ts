// Timing, and the tables that the quickstart prints.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

export interface Contender {
  readonly name: string;
  readonly predicted: Float32Array | Float64Array;
  /** R² on the held-out rows. */
  readonly score: number;
  /** What it has to keep for prediction. */
  readonly keeps: string;
  readonly bytes: number;
  /** Time to predict all held-out rows. */
  readonly seconds: number;
}

export interface Timed<R> {
  readonly result: R;
  /** Time of the fastest run. */
  readonly seconds: number;
}

/** Runs once, or repeatedly until `atLeast` seconds have passed: the first run of a session also allocates its memory. */
export async function timed<R>(
  work: () => Promise<R>,
  { atLeast = 0 }: { readonly atLeast?: number } = {},
): Promise<Timed<R>> {
  const start = performance.now();
  let fastest = Number.POSITIVE_INFINITY;
  for (;;) {
    const before = performance.now();
    const result = await work();
    const now = performance.now();
    fastest = Math.min(fastest, now - before);
    if (now - start >= atLeast * 1000) return { result, seconds: fastest / 1000 };
  }
}

export const integer = (value: number): string => Math.round(value).toLocaleString('en');
const dollars = (value: number): string => `${value < 0 ? '−' : ''}$${integer(Math.abs(value))}`;

/** Aligns lines of cells: the first column to the left, the others to the right. */
function table(lines: readonly (readonly string[])[]): string {
  const widths = (lines[0] ?? []).map((_, j) => Math.max(...lines.map((cells) => cells[j]?.length ?? 0)));
  return lines
    .map((cells) =>
      cells
        .map((cell, j) => (j === 0 ? cell.padEnd(widths[j] as number) : cell.padStart(widths[j] as number)))
        .join('   '),
    )
    .join('\n');
}

/** A table of the contenders side by side. */
export function comparison(truth: Float32Array, contenders: readonly Contender[]): string {
  const row = (name: string, cell: (contender: Contender) => string): string[] => [
    name,
    ...contenders.map(cell),
  ];
  return table([
    row('', ({ name }) => name),
    row('R² on the held-out rows', ({ score }) => score.toFixed(4)),
    row('mean absolute error', ({ predicted }) => dollars(meanAbsoluteError(truth, predicted))),
    row('keeps', ({ keeps }) => keeps),
    row('bytes', ({ bytes }) => integer(bytes)),
    // Three digits, since the fourth changes from run to run.
    row('predictions per second', ({ seconds }) => integer(Number((truth.length / seconds).toPrecision(3)))),
  ]);
}

export const meanAbsoluteError = (truth: Float32Array, predicted: Float32Array | Float64Array): number =>
  truth.reduce((sum, value, i) => sum + Math.abs(value - (predicted[i] as number)), 0) / truth.length;

export function firstPredictions(
  truth: Float32Array,
  predicted: Float32Array | Float64Array,
  count: number,
): string {
  const first = Array.from(truth.subarray(0, count), (value, i) => [
    `held-out diamond ${i + 1}`,
    dollars(predicted[i] as number),
    dollars(value),
  ]);
  return table([['', 'predicted', 'true price'], ...first]);
}

/** Writes files by name into a folder. Returns their paths, as seen from here. */
export function writeFiles(folder: string, files: Readonly<Record<string, string | Uint8Array>>): string[] {
  mkdirSync(folder, { recursive: true });
  return Object.entries(files).map(([name, content]) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    const near = relative(process.cwd(), path);
    return near.startsWith('..') ? path : near;
  });
}
