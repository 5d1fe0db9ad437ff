// Joins several batches into one: initialisation needs more rows than a batch may have, and some rows of many batches are kept.

import { type Rows, repeatMask, type Vector } from '../data/matrix.js';
import { denseRows, isSparse } from '../data/sparse.js';
import { joinTables, Table } from '../data/table.js';
import { ShapeError } from '../errors.js';
import type { Batch } from '../state/batch.js';
import type { FlatMatrix, FlatTargets, GivenBatch, SourceRows, SourceTargets } from '../state/source.js';

const isMatrix = (part: unknown): part is FlatTargets =>
  typeof part === 'object' && part !== null && 'shape' in part;

/** Joined matrices in float32, or float64 if any is float64. */
const joinMatrices = <M extends FlatMatrix | FlatTargets>(parts: readonly M[]): M => {
  const columns = (parts[0] as M).shape[1];
  const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0);
  const wide = parts.some((part) => part.data instanceof Float64Array);
  const data = new (wide ? Float64Array : Float32Array)(rows * columns);
  let at = 0;
  for (const part of parts) {
    data.set(part.data, at);
    at += part.data.length;
  }
  return { data, shape: [rows, columns] as const } as unknown as M;
};

/** Joined vectors; numbers stay float64, which labels may need. */
const joinVectors = (parts: readonly ArrayLike<unknown>[]): Vector =>
  parts.every((part) => part instanceof Float32Array)
    ? Float32Array.from(parts.flatMap((part) => Array.from(part as Float32Array)))
    : (parts.flatMap((part) => Array.from(part)) as number[]);

/** Errors: ShapeError if one batch has y as a matrix and another has a list or no y. */
function joinTargets(parts: readonly (SourceTargets | undefined)[], call: string): SourceTargets | undefined {
  if (parts.every((part) => part === undefined)) return undefined;
  const width = (part: SourceTargets | undefined): number =>
    part === undefined ? -1 : isMatrix(part) ? part.shape[1] : 0;
  const other = parts.findIndex((part) => width(part) !== width(parts[0]));
  if (other < 0) {
    return isMatrix(parts[0])
      ? joinMatrices(parts as readonly FlatTargets[])
      : joinVectors(parts as readonly ArrayLike<unknown>[]);
  }
  throw new ShapeError(`${call}: y of batch ${other} is of another kind or width than y of the first.`, {
    argument: 'y',
    batch: other,
  });
}

/** Errors: ShapeError where one batch is a table and another a matrix. */
function joinFeatures(parts: readonly SourceRows[], call: string): SourceRows {
  const tables = parts.filter((part) => part instanceof Table);
  if (tables.length === 0) return joinMatrices(parts as readonly FlatMatrix[]);
  if (tables.length === parts.length) return joinTables(tables);
  throw new ShapeError(`${call}: X is a table in some batches and a matrix in others.`, { argument: 'X' });
}

/** The mask of a batch [B, D], all 1 if it has none. */
function maskOf({ X, featureMask }: GivenBatch): FlatMatrix {
  if (isMatrix(featureMask)) return featureMask as FlatMatrix;
  const { shape } = X as FlatMatrix;
  const data = new Float32Array(shape[0] * shape[1]).fill(1);
  if (featureMask) for (let i = 0; i < shape[0]; i++) data.set(featureMask, i * shape[1]);
  return { data, shape };
}

/** The rows of all batches, in order. Errors: ShapeError. */
export function joinBatches(batches: readonly GivenBatch[], call: string): GivenBatch {
  if (batches.length === 1) return batches[0] as GivenBatch;
  const weighted = batches.some(({ sampleWeight }) => sampleWeight !== undefined);
  const masked = batches.some(({ featureMask }) => featureMask !== undefined);
  const weights = ({ sampleWeight, X }: GivenBatch): ArrayLike<number> =>
    sampleWeight ?? new Float32Array(X instanceof Table ? X.rows : (X as FlatMatrix).shape[0]).fill(1);
  return {
    X: joinFeatures(
      batches.map(({ X }) => X),
      call,
    ),
    y: joinTargets(
      batches.map(({ y }) => y),
      call,
    ),
    sampleWeight: weighted ? joinVectors(batches.map(weights)) : undefined,
    featureMask: masked ? joinMatrices(batches.map(maskOf)) : undefined,
  } as GivenBatch;
}

const stacked = (parts: readonly Rows[]): Rows => {
  const columns = (parts[0] as Rows).columns;
  const { data, shape } = joinMatrices(
    parts.map(({ data, rows }) => ({ data, shape: [rows, columns] as const })),
  );
  return { data, rows: shape[0], columns };
};

/** Joins checked rows with dense features and targets of equal width, in order; masked if any batch is. */
export function joinRows(batches: readonly Batch[]): Batch {
  if (batches.length === 1) return batches[0] as Batch;
  const masked = batches.some(({ mask }) => mask !== undefined);
  const maskOf = ({ x, mask }: Batch): Rows =>
    mask
      ? repeatMask(mask, x.rows)
      : { data: new Float32Array(x.rows * x.columns).fill(1), rows: x.rows, columns: x.columns };
  return {
    x: stacked(batches.map(({ x }) => denseRows(x))),
    y: stacked(batches.map(({ y }) => denseRows(y))),
    sampleWeight: Float32Array.from(batches.flatMap(({ sampleWeight }) => [...sampleWeight])),
    ...(masked ? { mask: stacked(batches.map(maskOf)) } : {}),
  };
}

/** The rows with targets widened to `labels` columns; they have none of the labels that came later. */
export function withLabels(batch: Batch, labels: number): Batch {
  const { y } = batch;
  if (y.columns >= labels) return batch;
  if (isSparse(y)) return { ...batch, y: { ...y, columns: labels } };
  const data = new Float32Array(y.rows * labels);
  for (let i = 0; i < y.rows; i++) data.set(y.data.subarray(i * y.columns, (i + 1) * y.columns), i * labels);
  return { ...batch, y: { data, rows: y.rows, columns: labels } };
}
