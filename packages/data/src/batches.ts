// Turns chunks of columns into batches of rows: the one loop that every value passes through.

import type { FeatureEncoding, SourceBatch } from '@fkm/core';
import { encodedWidth } from '@fkm/core/internal';
import { columnsOf, infinite, placesOf, refuse } from './encoding.js';
import { dataError } from './errors.js';
import type { Plan } from './options.js';
import type { Chunk, Field, Read, Table } from './table.js';

/** Writes part of a chunk's column into rows of a batch. */
type Writer = (chunk: Chunk, from: number, rows: number, at: number, number: number) => void;

/** A batch under construction. */
interface Draft {
  /** NaN at masked values, so that using X without its mask is an error. */
  readonly x: Float32Array;
  readonly mask: Float32Array | undefined;
  readonly y: Float64Array | string[] | undefined;
  readonly weights: Float32Array | undefined;
}

/** Batches of `size` rows from row `skip` on; the last one may be smaller. */
export async function* batchesOf(
  table: Table,
  plan: Plan,
  size: number,
  skip: number,
  signal: AbortSignal,
): AsyncGenerator<SourceBatch> {
  const D = columnsOf(plan.encoding).length;
  const { skipped, chunks }: Read = await table.read(plan.wanted, { skip, signal });
  let [number, left, filled] = [skip, skip - skipped, 0];
  let draft = draftOf(plan, size, D);
  const write = writerOf(table.name, plan, D, () => draft);
  for await (const chunk of chunks) {
    signal.throwIfAborted();
    let from = Math.min(left, chunk.rows);
    left -= from;
    while (from < chunk.rows) {
      const rows = Math.min(chunk.rows - from, size - filled);
      write(chunk, from, rows, filled, number);
      from += rows;
      filled += rows;
      number += rows;
      if (filled < size) continue;
      yield finished(draft, plan, size, D);
      draft = draftOf(plan, size, D);
      filled = 0;
    }
  }
  // A closed stream ends like a finished one.
  signal.throwIfAborted();
  if (filled > 0) yield finished(draft, plan, filled, D);
}

const masked = ({ missing, unknown }: Plan): boolean => missing === 'mask' || unknown === 'mask';

function draftOf(plan: Plan, size: number, D: number): Draft {
  const { targets, weighted } = plan;
  const y =
    targets[0]?.kind === 'text'
      ? new Array<string>(size)
      : targets[0] && new Float64Array(size * targets.length);
  return {
    x: new Float32Array(size * D),
    mask: masked(plan) ? new Float32Array(size * D).fill(1) : undefined,
    y,
    weights: weighted ? new Float32Array(size) : undefined,
  };
}

function finished({ x, mask, y, weights }: Draft, plan: Plan, rows: number, D: number): SourceBatch {
  const T = plan.targets.length;
  // A batch that is not full is copied, since a view would keep the whole buffer in memory.
  const cut = <A extends Float32Array | Float64Array>(data: A, columns: number): A =>
    (data.length === rows * columns ? data : data.slice(0, rows * columns)) as A;
  return {
    X: { data: cut(x, D), shape: [rows, D] },
    ...(y === undefined
      ? {}
      : Array.isArray(y)
        ? { y: y.slice(0, rows) }
        : plan.targetMatrix
          ? { y: { data: cut(y, T), shape: [rows, T] as const } }
          : { y: cut(y, 1) }),
    ...(weights ? { sampleWeight: cut(weights, 1) } : {}),
    ...(mask ? { featureMask: { data: cut(mask, D), shape: [rows, D] as const } } : {}),
  };
}

function writerOf(call: string, plan: Plan, D: number, draft: () => Draft): Writer {
  const writers: Writer[] = [];
  let first = 0;
  for (const [place, feature] of plan.encoding.features.entries()) {
    writers.push(
      feature.kind === 'number'
        ? numbers(call, plan, feature.column, place, first, D, draft)
        : texts(call, plan, feature, place, first, D, draft),
    );
    first += encodedWidth(feature);
  }
  const { features } = plan.encoding;
  plan.targets.forEach((field, t) => {
    const T = plan.targets.length;
    const most =
      plan.targetMatrix || field.scale === undefined ? Number.POSITIVE_INFINITY : 2 ** 53 / 10 ** field.scale;
    writers.push((chunk, from, rows, at, number) => {
      const column = chunk.column(features.length + t);
      const y = draft().y as Float64Array | string[];
      for (let i = 0; i < rows; i++) {
        const value = column[from + i] as number | string | null;
        if (value === null || Number.isNaN(value)) absent(call, 'target', field.name, number + i);
        if (Math.abs(value as number) >= most) inexact(call, field, value as number, number + i);
        y[(at + i) * T + t] = value as never;
      }
    });
  });
  const weight = plan.wanted[features.length + plan.targets.length];
  if (weight) {
    writers.push((chunk, from, rows, at, number) => {
      const column = chunk.column(features.length + plan.targets.length) as Float32Array;
      const { weights } = draft();
      for (let i = 0; i < rows; i++) {
        const value = column[from + i] as number;
        if (Number.isNaN(value)) absent(call, 'weight', weight.name, number + i);
        (weights as Float32Array)[at + i] = value;
      }
    });
  }
  return (...where) => {
    for (const write of writers) write(...where);
  };
}

/** Errors: DataError for a label that float64 would round to another label. */
function inexact(call: string, { name, type }: Field, value: number, row: number): never {
  throw dataError(
    `${call}: the target '${name}' is about ${value} in row ${row}, which float64 cannot represent exactly as ${type}; cast it to text if it is a label, or to DOUBLE if it is a quantity.`,
    { column: name, row, value },
  );
}

function absent(call: string, role: string, column: string, row: number): never {
  throw dataError(
    `${call}: the ${role} '${column}' is missing in row ${row}; leave such rows out in a query, or fill them in.`,
    { column, row },
  );
}

function numbers(
  call: string,
  { missing }: Plan,
  name: string,
  place: number,
  first: number,
  D: number,
  draft: () => Draft,
): Writer {
  return (chunk, from, rows, at, number) => {
    const column = chunk.column(place) as Float32Array;
    const { x, mask } = draft();
    let to = at * D + first;
    for (let i = from; i < from + rows; i++, to += D) {
      const value = column[i] as number;
      if (Number.isNaN(value)) {
        refuse(call, missing, name, number + i - from, null);
        (mask as Float32Array)[to] = 0;
        x[to] = Number.NaN;
      } else if (value - value === 0) x[to] = value;
      else infinite(call, name, value, number + i - from);
    }
  };
}

function texts(
  call: string,
  { missing, unknown }: Plan,
  feature: Exclude<FeatureEncoding, { kind: 'number' }>,
  place: number,
  first: number,
  D: number,
  draft: () => Draft,
): Writer {
  const [places, width, oneHot] = [placesOf(feature), encodedWidth(feature), feature.kind === 'oneHot'];
  return (chunk, from, rows, at, number) => {
    const column = chunk.column(place) as readonly (string | null)[];
    const { x, mask } = draft();
    let to = at * D + first;
    for (let i = from; i < from + rows; i++, to += D) {
      const text = column[i] as string | null;
      const category = text === null ? undefined : places.get(text);
      if (category === undefined) {
        refuse(call, text === null ? missing : unknown, feature.column, number + i - from, text);
        (mask as Float32Array).fill(0, to, to + width);
        x.fill(Number.NaN, to, to + width);
      } else if (oneHot) x[to + category] = 1;
      else x[to] = category;
    }
  };
}
