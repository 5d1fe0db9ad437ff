// Checks of arguments before anything changes: shapes, numbers, indices.

import { DataError, type Points, ShapeError, StateError } from '@fkm/core';

export const scope = 'index-hnsw';

/** Rows [N, D] of finite numbers. Errors: ShapeError, DataError. */
export function checkPoints(call: string, argument: string, points: Points, columns?: number): void {
  const { data, shape } = points;
  const [rows, width] = shape;
  if (!(data instanceof Float32Array)) {
    throw new DataError(
      `${call}: ${argument}.data should be a Float32Array.`,
      { argument, value: typeof data },
      scope,
    );
  }
  const isSize = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
  if (shape.length !== 2 || !isSize(rows) || !isSize(width) || data.length !== rows * width) {
    throw new ShapeError(
      `${call}: ${argument} has shape [${shape}] and ${data.length} numbers; they should be rows × columns.`,
      { argument, shape: [...shape], length: data.length },
      scope,
    );
  }
  if (width === 0) {
    throw new ShapeError(
      `${call}: ${argument} has no columns, should have at least one.`,
      { argument, shape: [...shape] },
      scope,
    );
  }
  if (columns !== undefined && width !== columns) {
    throw new ShapeError(
      `${call}: ${argument} has ${width} columns, this index was built with ${columns}.`,
      { argument, columns: width, expected: columns },
      scope,
    );
  }
  for (let i = 0; i < data.length; i++) {
    const value = data[i] as number;
    if (Number.isFinite(value)) continue;
    const [row, column] = [Math.floor(i / width), i % width];
    throw new DataError(
      `${call}: ${argument} has ${value} in row ${row}, column ${column}. Remove the row.`,
      { argument, row, column, value },
      scope,
    );
  }
}

/** Integers in 0 … count − 1. Errors: DataError. */
export function checkPlaces(call: string, places: ArrayLike<number>, count: number): void {
  for (let i = 0; i < places.length; i++) {
    const place = places[i] as number;
    if (Number.isInteger(place) && place >= 0 && place < count) continue;
    throw new DataError(
      `${call}: indices[${i}] is ${place}, should be an integer from 0 to ${count - 1}, a row of the points that were built.`,
      { argument: 'indices', row: i, value: place, expected: count },
      scope,
    );
  }
}

/** One row for each index. Errors: ShapeError. */
export function checkRowAPlace(places: ArrayLike<number>, points: Points): void {
  if (places.length === points.shape[0]) return;
  throw new ShapeError(
    `update: points has ${points.shape[0]} rows for ${places.length} indices, should have one for each.`,
    { argument: 'points', rows: points.shape[0], expected: places.length },
    scope,
  );
}

export const notBuilt = (call: string): StateError =>
  new StateError(`${call}: this index is empty; call build or load first.`, {}, scope);

export const disposed = (call: string): StateError =>
  new StateError(`${call}: this index was disposed; make another one.`, {}, scope);
