// Rows of tables in the calls of an estimator: the target among the columns, the encoding that a call fits, updates or reads, and
// what target statistics learn of the targets.

import { nearest } from '../checked-options.js';
import type { Vector } from '../data/matrix.js';
import { isSparse, visitRow } from '../data/sparse.js';
import type { Cell, Table } from '../data/table.js';
import { cut, DataError, StateError, shown } from '../errors.js';
import type { Resolved } from '../state/options.js';
import { unitWeight } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import { isTableEncoding, type TableEncoding } from '../state/table-encoding.js';
import { isMissing } from '../tables/cells.js';
import { type EncodedTable, encodeTable } from '../tables/encode.js';
import { fitEncoding, mostTracked, withRows } from '../tables/fit-encoding.js';
import type { Taught } from '../tables/plan.js';
import type { Encoded } from './targets.js';

/**
 * What a call does with the encoding of a model: 'fit' settles it anew, 'update' settles it on the first rows and adds later ones to
 * target statistics, 'add' does that alone, 'train' takes rows that those statistics may hold, 'read' takes others.
 */
export type TableUse = 'fit' | 'update' | 'add' | 'train' | 'read';

/** The rows without the target, and the targets. */
export interface TargetedTable {
  readonly features: Table;
  readonly target: string | undefined;
  /** y, or what its column holds. */
  readonly y: unknown;
}

/** Takes the column out that y names, or that an earlier call named. Errors: DataError for a name that there is not, a missing target. */
export function withoutTarget(
  table: Table,
  y: unknown,
  known: string | undefined,
  call: string,
): TargetedTable {
  if (typeof y !== 'string') {
    return { features: known === undefined ? table : table.without(known), target: known, y };
  }
  const cells = table.column(y);
  if (cells) return { features: table.without(y), target: y, y: presentTargets(cells, y, call) };
  const near = nearest(y, table.names);
  throw new DataError(
    `${call}: y is ${shown(y)}, and X has no column of that name; it has ${cut(table.names.join(', '))}.${near === undefined ? '' : ` Did you mean ${shown(near)}?`}`,
    { argument: 'y', column: y },
  );
}

/** The cells of a target as numbers, texts and lists; truth values as texts. Errors: DataError with the row of a missing one. */
function presentTargets(cells: ArrayLike<Cell>, column: string, call: string): readonly unknown[] {
  return Array.from({ length: cells.length }, (_, row) => {
    const cell = cells[row];
    if (isMissing(cell)) {
      throw new DataError(
        `${call}: the target ${shown(column)} has no value in row ${row}; leave out rows without a target.`,
        { argument: 'y', column, row },
      );
    }
    if (typeof cell === 'boolean') return String(cell);
    if (typeof cell !== 'bigint') return cell;
    if (Number.isSafeInteger(Number(cell))) return Number(cell);
    throw new DataError(
      `${call}: the target ${shown(column)} is ${cell} in row ${row}, which float64 does not hold; make it a text.`,
      { argument: 'y', column, row, value: cell },
    );
  });
}

/** Outputs that target statistics track: the second of two classes, the most frequent classes or labels, the first target columns. */
function trackedOf({ y, outputs, classes }: Encoded, weights: Vector): readonly number[] {
  if (outputs <= 1 || classes.length === 0) return range(Math.min(outputs, mostTracked));
  if (y.columns === 1 && outputs === 2) return [1];
  if (outputs <= mostTracked) return range(outputs);
  const counts = new Float64Array(outputs);
  for (let row = 0; row < y.rows; row++) {
    visitRow(y, row, (column, value) => {
      const output = y.columns === 1 ? value : column;
      const count = y.columns === 1 ? 1 : value;
      counts[output] = (counts[output] as number) + (weights[row] as number) * count;
    });
  }
  return range(outputs)
    .sort((a, b) => (counts[b] as number) - (counts[a] as number) || a - b)
    .slice(0, mostTracked)
    .sort((a, b) => a - b);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** The tracked targets of rows: of a class 0 or 1, else numbers. */
function taughtBy(
  { y, classes }: Encoded,
  tracked: readonly number[],
  weights: Vector,
  unit: number,
): Taught {
  const outputs = tracked.length;
  const targets = new Float64Array(y.rows * outputs);
  const place = new Map(tracked.map((output, t) => [output, t]));
  const indexed = classes.length > 0 && y.columns === 1 && !isSparse(y);
  for (let row = 0; row < y.rows; row++) {
    visitRow(y, row, (column, value) => {
      const t = place.get(indexed ? value : column);
      if (t !== undefined) targets[row * outputs + t] = indexed ? 1 : value;
    });
  }
  return { targets, outputs, weights: Float64Array.from(weights, (w) => w / unit) };
}

/** A table as X, by the encoding that the call settles or that the model has. */
export interface UsedTable extends EncodedTable {
  readonly encoding: TableEncoding;
}

/** What a model has of tables. */
export interface TableModel {
  readonly options: Resolved;
  readonly state: Pick<ModelState, 'encoding' | 'unit'> | null;
  readonly call: string;
}

/** The encoding that a model reads tables by. Errors: StateError where it was fitted on matrices. */
export function encodingOf({ state, call }: Pick<TableModel, 'state' | 'call'>): TableEncoding {
  const encoding = state?.encoding;
  if (isTableEncoding(encoding)) return encoding;
  throw new StateError(
    `${call}: X is a table, and this model was fitted on ${encoding ? 'rows that their source encoded' : 'a matrix'}; pass rows of that kind, or fit it on a table.`,
  );
}

/** Rows that a call reads. Errors: StateError, DataError. */
export const readTable = (model: TableModel, table: Table): EncodedTable => {
  const encoding = encodingOf(model);
  const features = encoding.target === undefined ? table : table.without(encoding.target);
  return encodeTable(encoding, features, {
    call: model.call,
    missing: model.options.missing,
    training: false,
  });
};

/** Rows of a training call, with their targets. Errors: StateError, DataError, OptionError. */
export function useTable(
  model: TableModel,
  use: TableUse,
  { features, target }: TargetedTable,
  targets: Encoded,
  weights: Vector,
): UsedTable {
  const { options, state, call } = model;
  const how = { call, missing: options.missing } as const;
  const training = use !== 'read';
  const anew = use === 'fit' || (!state && training);
  const unit = (anew ? null : state?.unit) ?? unitWeight(Float32Array.from(weights));
  let encoding: TableEncoding;
  if (anew) {
    const tracked = trackedOf(targets, weights);
    const taught = taughtBy(targets, tracked, weights, unit);
    encoding = fitEncoding(features, { specs: options.columns, target, tracked, taught, options: how });
  } else {
    encoding = encodingOf(model);
    if (use === 'update' || use === 'add') {
      const taught = taughtBy(targets, encoding.tracked, weights, unit);
      // Rows are told what was known before them: the statistics take them up for those to come.
      const x = encodeTable(encoding, features, { ...how, training });
      const total = taught.weights as Float64Array;
      const kept = use === 'add' ? 1 : 2 ** (-total.reduce((sum, w) => sum + w, 0) / options.halfLife);
      return { ...x, encoding: withRows(encoding, features, taught, how, kept) };
    }
  }
  return { ...encodeTable(encoding, features, { ...how, training }), encoding };
}
