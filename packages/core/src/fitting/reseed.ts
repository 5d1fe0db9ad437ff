// Reseeding: prototypes that no row chose in a whole pass of fit start again at the rows of the highest loss.

import { denseRows, takeFeatures, visitRow } from '../data/sparse.js';
import { type NdArray, ndarray, type TypedArray } from '../dtype.js';
import type { Batch } from '../state/batch.js';
import { leastFounder } from '../state/row-counts.js';
import type { ModelState } from '../state/state.js';
import type { Assignment } from '../training/phase1.js';
import type { GridSpec } from '../training/spec.js';

/** A row that is far from its prototype. */
interface Candidate {
  readonly score: number;
  readonly row: number;
}

/** Rows kept as new places for idle prototypes: for a head, and for an owner in a head. */
const [candidatesKept, candidatesOfOwner] = [64, 8];

/** Relative rounding of a float32 difference between equal numbers. */
const rounding = 1e-6;

/** The rows of highest loss first, by head and owner. */
export type Worst = Map<string, Candidate[]>;

/** Key of the candidates of a head, or of a class in it if prototypes have owners. */
const listKey = (head: number, owner: number | undefined): string => `${head} ${owner}`;

/** The owners that a row can found a prototype of; a single undefined if prototypes have no owners. */
function ownersOf(spec: GridSpec, batch: Batch, row: number): (number | undefined)[] {
  if (spec.joint || spec.candidates === 'all') return [undefined];
  const owners: number[] = [];
  visitRow(batch.y, row, (c, value) => {
    if (spec.candidates === 'class') owners.push(value);
    else if (value > 0) owners.push(c);
  });
  return owners;
}

/** Keeps, for each head and owner, the rows of the highest phase-1 loss w·δ that weigh at least half the `unit`. */
export function collectWorst(
  worst: Worst,
  spec: GridSpec,
  batch: Batch,
  { cost }: Assignment,
  unit: number,
  rowOf: (i: number) => number,
): void {
  const { heads } = spec;
  // The loss that a row has to exceed where one list serves all owners; most rows fall below it and need no further work.
  const least = Array.from({ length: heads }, (_, head) => {
    const list = worst.get(listKey(head, undefined));
    return list?.length === candidatesKept ? (list[candidatesKept - 1] as Candidate).score : -1;
  });
  for (let i = 0; i < cost.length; i++) {
    const row = Math.floor(i / heads);
    const w = batch.sampleWeight[row] as number;
    const score = (cost[i] as number) * w;
    if (w < leastFounder * unit || score <= (least[i % heads] as number)) continue;
    for (const owner of ownersOf(spec, batch, row)) {
      const key = listKey(i % heads, owner);
      const list = worst.get(key) ?? [];
      if (list.length === 0) worst.set(key, list);
      const limit = owner === undefined ? candidatesKept : candidatesOfOwner;
      if (list.length === limit && score <= (list[list.length - 1] as Candidate).score) continue;
      list.push({ score, row: rowOf(row) });
      list.sort((a, b) => b.score - a.score);
      if (list.length > limit) list.pop();
      if (owner === undefined && list.length === limit)
        least[i % heads] = (list[limit - 1] as Candidate).score;
    }
  }
}

/**
 * Moves prototypes that less than half a row chose in the whole pass to the rows of highest loss. Returns the same state if there
 * is no such prototype, or no such row without a prototype at its place.
 */
export function reseed(
  spec: GridSpec,
  state: ModelState,
  rows: Batch,
  weights: Float64Array,
  worst: Worst,
): ModelState {
  if (weights.length !== state.ages.length) return state;
  const frozen = (state.arrays.frozen as NdArray).data;
  const owners = spec.joint || spec.candidates === 'all' ? undefined : state.arrays.owners?.data;
  const perHead = weights.length / spec.heads;
  const unit = state.unit ?? 1;
  const isIdle = (k: number): boolean => (weights[k] as number) < leastFounder * unit && frozen[k] === 0;
  const idle = Array.from(weights.keys()).filter(isIdle);
  if (idle.length === 0) return state;
  const prototypes = state.arrays.prototypes as NdArray;
  const { targets } = state.arrays;
  const [p, t, ages] = [prototypes.data.slice(), targets?.data.slice(), state.ages.slice()];
  const coordinateAges = state.coordinateAges?.slice() ?? null;
  const moments = state.moments?.slice() ?? null;
  const { slopes } = state.arrays;
  const zeroed = slopes?.data.slice();
  const { columns } = rows.x;
  let moved = false;
  for (const k of idle) {
    const head = Math.floor(k / perHead);
    const list = worst.get(listKey(head, owners?.[k])) ?? [];
    let point: Float32Array | undefined;
    let candidate: Candidate | undefined;
    do {
      candidate = list.shift();
      if (!candidate || candidate.score <= 0) break;
      point = pointOf(rows, candidate.row, p, k * columns);
      // A δ that is only rounding is no loss.
    } while (holds(p, head * perHead, (head + 1) * perHead, point));
    if (!candidate || candidate.score <= 0 || !point) continue;
    moved = true;
    p.set(point, k * columns);
    if (t && spec.head.code) {
      const own = takeFeatures(rows.y, [candidate.row], 0, 1);
      const target = Float64Array.from(denseRows(spec.head.coordinatesOf(own, spec.outputs)).data);
      t.set(spec.head.code.store(target, spec.outputs, spec.heads), k * spec.outputs);
    }
    ages[k] = unit;
    for (const sums of [moments, zeroed]) {
      const width = (sums?.length ?? 0) / ages.length;
      sums?.fill(0, k * width, (k + 1) * width);
    }
    coordinateAges?.fill(unit, k * columns, (k + 1) * columns);
  }
  if (!moved) return state;
  const arrays = {
    ...state.arrays,
    prototypes: ndarray(p, prototypes.shape),
    ...(t && targets ? { targets: ndarray(t, targets.shape) } : {}),
    ...(slopes && zeroed ? { slopes: ndarray(zeroed, slopes.shape) } : {}),
  };
  return { ...state, arrays, ages, coordinateAges, moments };
}

/** A row as a prototype; masked values are taken from the prototype at `at`. */
function pointOf({ x, mask }: Batch, row: number, prototypes: TypedArray, at: number): Float32Array {
  const { data } = denseRows(x, row, row + 1);
  if (!mask) return data;
  const from = mask.rows === 1 ? 0 : row;
  const shown = denseRows(mask, from, from + 1).data;
  return data.map((value, j) => ((shown[j] as number) > 0 ? value : (prototypes[at + j] as number)));
}

/** Whether one of the prototypes lies at this point, up to rounding. */
function holds(prototypes: TypedArray, begin: number, end: number, point: Float32Array): boolean {
  const columns = point.length;
  for (let k = begin; k < end; k++) {
    let j = 0;
    for (; j < columns; j++) {
      const [a, b] = [prototypes[k * columns + j] as number, point[j] as number];
      if (Math.abs(a - b) > rounding * Math.max(Math.abs(a), Math.abs(b))) break;
    }
    if (j === columns) return true;
  }
  return false;
}
