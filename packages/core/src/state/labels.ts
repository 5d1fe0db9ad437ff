// Maps between the caller's names of classes and labels and the indices that graphs use.

import { DataError, ShapeError } from '../errors.js';
import type { Label } from './state.js';

/** The distinct labels, sorted: numbers ascending, strings by code unit. Errors: DataError if numbers and strings are mixed. */
export function sortedLabels(labels: Iterable<Label>, call: string, argument = 'y'): Label[] {
  const distinct = [...new Set(labels)];
  const strings = distinct.filter((label) => typeof label === 'string').length;
  if (strings > 0 && strings < distinct.length) {
    throw new DataError(`${call}: ${argument} mixes numbers and strings; use one kind of label.`, {
      argument,
    });
  }
  return strings > 0 ? distinct.sort() : (distinct as number[]).sort((a, b) => a - b);
}

/** Lists of classes are never mutated, so a list's map is built once for all batches of a stream. */
const known: WeakMap<readonly Label[], ReadonlyMap<Label, number>> = /* @__PURE__ */ new WeakMap();

/** The index of each class. */
export function indexOfClasses(classes: readonly Label[]): ReadonlyMap<Label, number> {
  const before = known.get(classes);
  if (before) return before;
  const index = new Map(classes.map((label, c) => [label, c]));
  known.set(classes, index);
  return index;
}

const whole: WeakMap<readonly Label[], boolean> = /* @__PURE__ */ new WeakMap();

/** Whether all classes are 32-bit integers. */
export function areWhole(classes: readonly Label[]): boolean {
  const before = whole.get(classes);
  if (before !== undefined) return before;
  const all = classes.every((label) => ((label as number) | 0) === label);
  whole.set(classes, all);
  return all;
}

/** The index of each label among the classes; −1 if it is none of them. */
export function indexOfLabels(labels: ArrayLike<Label>, classes: readonly Label[]): Int32Array {
  const index = indexOfClasses(classes);
  return Int32Array.from({ length: labels.length }, (_, i) => index.get(labels[i] as Label) ?? -1);
}

/** y as a list of labels. Errors: ShapeError for a value that is no array or has another length, DataError for a value that is no label. */
export function toLabels(y: unknown, rows: number, call: string): ArrayLike<Label> {
  if (!Array.isArray(y) && !(ArrayBuffer.isView(y) && !(y instanceof DataView))) {
    throw new ShapeError(
      `${call}: y should be an array of numbers or strings, got ${y === null ? 'null' : typeof y}.`,
      {
        argument: 'y',
      },
    );
  }
  const labels = y as unknown as ArrayLike<unknown>;
  if (labels.length !== rows) {
    throw new ShapeError(`${call}: y has ${labels.length} rows, X has ${rows}.`, {
      argument: 'y',
      length: labels.length,
      expected: rows,
    });
  }
  // From here on, neighbouring integers round to the same float.
  const most = y instanceof Float32Array ? 2 ** 24 : 2 ** 53;
  for (let row = 0; row < rows; row++) {
    const label = labels[row];
    if (typeof label === 'string' || (typeof label === 'number' && Math.abs(label) < most)) continue;
    if (typeof label === 'number' && label - label === 0)
      throw new DataError(
        `${call}: y is ${label} in row ${row}; integers from ${most} on are not told apart as float${most > 2 ** 24 ? 64 : 32}: name such classes by strings.`,
        { argument: 'y', row, value: label },
      );
    const got =
      typeof label !== 'object' || !label ? String(label) : Array.isArray(label) ? 'an array' : 'an object';
    throw new DataError(`${call}: y is ${got} in row ${row}; labels are numbers or strings.`, {
      argument: 'y',
      row,
      value: label,
    });
  }
  return labels as ArrayLike<Label>;
}
