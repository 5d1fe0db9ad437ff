// The encoding of a table, fitted: the plan of its columns, and what target statistics sum up of its rows; and the same sums with
// the rows of a later batch.

import type { Table } from '../data/table.js';
import type { ColumnSpecs } from '../state/options.js';
import {
  type ColumnEncoding,
  foldCount,
  type LevelStatistics,
  statisticsIn,
  type TableEncoding,
} from '../state/table-encoding.js';
import { isMissing, levelOf } from './cells.js';
import { type EncodeOptions, encodeTable, levelPlaces, sumsOf } from './encode.js';
import { planColumns, type Taught } from './plan.js';
import { addToLevel, type LevelSums, levelsOf, noSums, textOfSums } from './statistics.js';

/** Levels of a stream at most; rows of later ones count as those of a level that no row had. */
const mostLevels = 100_000;

/** Outputs at most whose means are tracked. */
export const mostTracked = 10;

/** A column with other statistics. */
const withStatistics = (column: ColumnEncoding, statistics: LevelStatistics): ColumnEncoding =>
  column.kind === 'number'
    ? { ...column, values: statistics }
    : ({ ...column, ...statistics } as ColumnEncoding);

/** What the encoding of a table is fitted to. */
export interface EncodingFit {
  readonly specs: ColumnSpecs;
  readonly target: string | undefined;
  readonly tracked: readonly number[];
  readonly taught: Taught | undefined;
  readonly options: Omit<EncodeOptions, 'training'>;
}

/** Errors: OptionError, DataError with column, row and value. */
export function fitEncoding(table: Table, fit: EncodingFit): TableEncoding {
  const { specs, target, tracked, taught, options } = fit;
  const columns = planColumns(table, specs, taught, options.call).map((column) => {
    const own = statisticsIn(column);
    if (!own) return column;
    const { levels, outputs } = own;
    return withStatistics(column, { levels, outputs, sums: textOfSums(noSums(levels.length + 1, outputs)) });
  });
  const encoding: TableEncoding = {
    version: 2,
    ...(target === undefined ? {} : { target }),
    tracked,
    columns,
  };
  return taught ? withRows(encoding, table, taught, options, 1) : encoding;
}

/**
 * The encoding with the rows of a batch among its statistics; earlier ones count `kept` times. Levels that are new take a place
 * behind the others. Errors: as `encodeTable`.
 */
export function withRows(
  encoding: TableEncoding,
  table: Table,
  taught: Taught,
  options: Omit<EncodeOptions, 'training'>,
  kept: number,
): TableEncoding {
  if (!encoding.columns.some(statisticsIn)) return encoding;
  const grown = { ...encoding, columns: encoding.columns.map((column) => grow(column, table, options.call)) };
  const { folds } = encodeTable(grown, table, { ...options, training: true });
  const columns = grown.columns.map((column) => {
    const own = statisticsIn(column);
    if (!own) return column;
    const before = sumsOf(own);
    const sums = { ...before, data: before.data.map((value) => kept * value) };
    const cells = table.column(column.column) ?? new Array<undefined>(table.rows).fill(undefined);
    const places = levelPlaces(column, own, cells, { call: options.call, column: column.column });
    const levels = levelsOf(sums);
    places.forEach((place, row) => {
      if (place >= levels) return;
      const weight = taught.weights[row] as number;
      addToLevel(
        sums,
        place,
        (folds as Uint8Array)[row] as number,
        weight,
        taught.targets,
        row * taught.outputs,
      );
    });
    const { levels: names, outputs } = own;
    return withStatistics(column, { levels: names, outputs, sums: textOfSums(sums) });
  });
  return { ...grown, columns };
}

/** A category with places for the levels of a batch that are new; of numbers the first rows tell which values come again. */
function grow(column: ColumnEncoding, table: Table, call: string): ColumnEncoding {
  if (column.kind !== 'category' || column.coding !== 'statistics') return column;
  const { levels, outputs } = column;
  const cells = table.column(column.column);
  if (!cells || levels.length >= mostLevels) return column;
  const known = new Set(levels);
  const fresh: string[] = [];
  for (let row = 0; row < cells.length && known.size < mostLevels; row++) {
    if (isMissing(cells[row])) continue;
    const level = levelOf(cells[row], row, { call, column: column.column });
    if (known.has(level)) continue;
    known.add(level);
    fresh.push(level);
  }
  if (fresh.length === 0) return column;
  const before = sumsOf(column);
  // 'missing' stays the last.
  const size = foldCount * (1 + outputs);
  const data = new Float64Array((levels.length + fresh.length + 1) * size);
  data.set(before.data.subarray(0, levels.length * size));
  data.set(before.data.subarray(levels.length * size), (levels.length + fresh.length) * size);
  const sums: LevelSums = { data, outputs };
  return { ...column, levels: [...levels, ...fresh], sums: textOfSums(sums) };
}
