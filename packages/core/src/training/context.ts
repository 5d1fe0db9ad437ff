// What all steps of training share: compiled programs, options, head, and the spec made from them and a state.

import { type Rows, repeatMask } from '../data/matrix.js';
import { denseRows, type Features, isSparse } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { OptionError } from '../errors.js';
import { comparesDirections, distances } from '../formulas/distances.js';
import { hasBandwidths } from '../formulas/routing.js';
import type { Origin } from '../heads/calibration.js';
import type { Head, HeadFamily } from '../heads/head.js';
import { membersOf, mostMembers, readsMembers } from '../heads/members.js';
import { ofUnitLength } from '../scaling/lengths.js';
import { scaledColumns } from '../scaling/scaler.js';
import { scaleStored } from '../scaling/sparse-scaler.js';
import { checkReach, inOwnUnits, inverseUnit, unitOf } from '../scaling/unit.js';
import type { Batch } from '../state/batch.js';
import type { Resolved } from '../state/options.js';
import type { PrototypeSearch } from '../state/prototype-index.js';
import type { ModelState } from '../state/state.js';
import { scaleGraph, scalerNames } from './graphs.js';
import type { Ownership } from './ownership.js';
import { disposeAll, uploadParameters } from './phase1.js';
import { type Programs, readAndFree, runOnce, uploadRows } from './program.js';
import { breathe } from './progress.js';
import type { GridSpec } from './spec.js';

export interface Context {
  readonly programs: Programs;
  readonly options: Resolved;
  readonly family: HeadFamily;
  /** Arrays of the state that nothing else refers to. */
  readonly ownership?: Ownership | undefined;
  /** Searches near prototypes, if the options have an index. */
  readonly search?: PrototypeSearch | undefined;
  /** The public call that runs, which starts error messages. */
  readonly call: string;
  /** Stops long work between its parts. */
  readonly signal?: AbortSignal | undefined;
}

/** Rows in a run without gradients. */
export const blockRows = 4096;

const shapeOf = (state: ModelState, name: string): readonly number[] => (state.arrays[name] as NdArray).shape;

/** The head for a state. */
export const headOf = ({ family, options }: Context, { arrays }: ModelState): Head =>
  family.head(options, arrays.targets !== undefined);

/** The origin of the targets of a state. */
export const originOf = ({ trained, given }: Pick<ModelState, 'trained' | 'given'>): Origin =>
  trained ? 'gradients' : given ? 'given' : 'rows';

/** The spec of a model's graphs, for rows with or without a mask. */
export function specOf(context: Context, state: ModelState, masked: boolean): GridSpec {
  const { options } = context;
  const head = headOf(context, state);
  const [prototypes, columns] = shapeOf(state, 'prototypes') as [number, number];
  const gaussian = hasBandwidths(options.softType);
  const weighted = state.arrays.featureWeights !== undefined;
  return {
    head,
    origin: originOf(state),
    distance: options.distance,
    routing: { softType: options.softType, temperature: options.temperature, topK: options.topK },
    scaling: state.scaling,
    heads: weighted ? (shapeOf(state, 'featureWeights')[0] as number) : 1,
    rawColumns: state.rawColumns,
    columns,
    prototypes,
    outputs: state.outputs,
    yColumns: head.yColumns(state.outputs),
    masked,
    candidates: head.candidates,
    joint: state.joint,
    linear: options.prototypeModel === 'linear',
    repels: options.repulsionFactor > 0 && head.candidates !== 'all',
    members: ofMembers(head, state, mostMembers) ?? 0,
    l2Reg: options.l2Reg,
    diversityReg: options.diversityReg,
    trainable: [
      'prototypes',
      ...(head.code ? ['targets'] : []),
      ...(weighted && ((gaussian && head.routes) || options.autoFeatureWeights) ? ['featureWeights'] : []),
      ...(gaussian && head.routes ? ['logBandwidth', 'bias'] : []),
    ],
    frozen: (state.arrays.frozen as NdArray).data.includes(1),
    offsets: head.routes && options.prototypeDropout > 0,
    ...(isPaced(context, head) ? { paced: true } : {}),
  };
}

/**
 * Whether steps are scaled by the pace: heads with owners have prototypes for every class, close together, and steps of a fixed
 * length would scatter them.
 */
const isPaced = ({ options }: Context, head: Head): boolean =>
  hasBandwidths(options.softType) && head.routes && head.code === null;

/**
 * The pace: typical length from a row to its own prototype, at most 1. It is √mean δ, or mean δ for distances that are not squared;
 * 1 before any row was assigned.
 */
function paceOf({ options }: Context, { spread }: ModelState): NdArray {
  const sum = (offset: number): number =>
    spread.reduce((a, value, i) => (i % 2 === offset ? a + value : a), 0);
  const delta = sum(1) > 0 ? sum(0) / sum(1) : 1;
  const length = distances[options.distance].squared ? Math.sqrt(delta) : delta;
  return ndarray([Math.min(1, Math.max(length, leastPace))], []);
}

/** Least pace, so that prototypes still move when rows coincide with them. */
const leastPace = 1e-3;

/** `make` applied to the owners and labels of a state; null if nothing reads prototypes by label. */
const ofMembers = <R>(
  head: Head,
  { arrays, outputs, joint }: ModelState,
  make: (owners: ArrayLike<number>, labels: number, heads: number) => R,
): R | null =>
  readsMembers(head, joint) && arrays.owners
    ? make(arrays.owners.data, outputs, arrays.featureWeights?.shape[0] ?? 1)
    : null;

/** A loss in the caller's units: a clusterer's loss is a δ, which scales with its rows. */
export const lossInOwnUnits = (
  { family, options }: Context,
  { arrays }: Pick<ModelState, 'arrays'>,
  loss: number,
): number => (family.supervised ? loss : inOwnUnits(arrays, options.distance, loss));

/** The arrays of a state, with those that graphs derive from it. */
export const arraysOf = (context: Context, state: ModelState): Readonly<Record<string, NdArray>> => ({
  ...state.arrays,
  ...inverseUnit(state.arrays),
  ...ofMembers(headOf(context, state), state, membersOf),
  ...(isPaced(context, headOf(context, state)) ? { pace: paceOf(context, state) } : {}),
});

/**
 * Raw features in the space of the prototypes, scaled in blocks of rows. With cosine, rows get unit length: otherwise the longest
 * row would dominate the mean of its cluster. Errors: OptionError if scaling would fill sparse rows.
 */
export async function scaleFeatures(
  context: Context,
  state: Pick<ModelState, 'arrays' | 'rawColumns' | 'scaling'>,
  x: Features,
  mask: Rows | undefined,
): Promise<Pick<Batch, 'x' | 'mask'>> {
  const scaled = await scaleColumns(context, state, x, mask);
  const { distance, arithmetic } = context.options;
  if (!comparesDirections(distance) || arithmetic === 'original') return scaled;
  return { ...scaled, x: ofUnitLength(scaled.x, scaled.mask) };
}

async function scaleColumns(
  context: Context,
  state: Pick<ModelState, 'arrays' | 'rawColumns' | 'scaling'>,
  x: Features,
  mask: Rows | undefined,
): Promise<Pick<Batch, 'x' | 'mask'>> {
  const { programs } = context;
  const { scaling } = state;
  const factors = state.arrays['scaler.metric']?.data;
  const unit = unitOf(state.arrays);
  if (scaling === 'none') checkReach(state.arrays, context.options.distance, x, mask, context.call);
  if (scaling === 'none' && !factors && unit === 1) return { x, mask };
  if (scaling === 'none' && isSparse(x)) {
    const all = factors ?? new Float32Array(x.columns).fill(1);
    return { x: scaleStored(x, unit === 1 ? all : Float64Array.from(all, (f) => f * unit)), mask };
  }
  if (isSparse(x)) {
    throw new OptionError(
      `X is sparse, and this model scales features by '${scaling}', which would fill it; start from sparse rows, or set scaling 'none'.`,
      { option: 'scaling', value: scaling },
    );
  }
  const every = mask && repeatMask(mask, x.rows);
  const spec = { scaling, rawColumns: x.columns, masked: mask !== undefined };
  const arrays = Object.fromEntries(
    Object.entries(state.arrays).filter(([name]) => scalerNames.includes(name)),
  );
  const shapes = Object.entries(arrays).map(([name, { shape }]) => `${name}[${shape}]`);
  const program = await programs.get(`scale ${JSON.stringify(spec)} ${shapes}`, () =>
    scaleGraph(spec, arrays),
  );
  const fixed = uploadParameters(programs, arrays, scalerNames);
  const columns = scaledColumns(scaling, x.columns, arrays);
  const rows = (): Rows => ({ data: new Float32Array(x.rows * columns), rows: x.rows, columns });
  const scaled: Record<string, Rows> = { x: rows(), ...(mask ? { mask: rows() } : {}) };
  try {
    for (let begin = 0; begin < Math.max(1, x.rows); begin += blockRows) {
      await breathe(context.signal);
      const end = Math.min(x.rows, begin + blockRows);
      const results = await runOnce(program, fixed, {
        x: uploadRows(programs, x, begin, end),
        ...(every ? { mask: uploadRows(programs, every, begin, end) } : {}),
      });
      for (const [name, value] of Object.entries(results)) {
        scaled[name]?.data.set((await readAndFree(value)).data, begin * columns);
      }
    }
  } finally {
    disposeAll(fixed);
  }
  return { x: scaled.x as Rows, mask: scaled.mask };
}

/**
 * Raw rows as initialisation orders and merges them. With cosine and no scaling these are directions, since lengths do not count.
 */
export const asCompared = ({ distance, arithmetic, scaling = 'none' }: Resolved, rows: Batch): Batch =>
  comparesDirections(distance) && arithmetic !== 'original' && scaling === 'none'
    ? { ...rows, x: ofUnitLength(rows.x, rows.mask) }
    : rows;

/** Targets in the units of the grid: standardised if the model standardises them. */
export function scaleTargets(state: Pick<ModelState, 'arrays'>, y: Features): Features {
  const [mean, deviation] = [state.arrays['target.mean']?.data, state.arrays['target.deviation']?.data];
  if (!mean || !deviation) return y;
  const { columns, rows, data } = denseRows(y);
  const scaled = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const t = i % columns;
    scaled[i] = ((data[i] as number) - (mean[t] as number)) / (deviation[t] as number);
  }
  return { data: scaled, rows, columns };
}

/** A raw batch in the space of the grid. */
export async function scaleBatch(context: Context, state: ModelState, raw: Batch): Promise<Batch> {
  return { ...raw, ...(await scaleFeatures(context, state, raw.x, raw.mask)), y: scaleTargets(state, raw.y) };
}
