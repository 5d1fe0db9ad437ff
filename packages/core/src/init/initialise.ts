// Builds the initial grid from the first batch: scaler, units of the targets, metric, prototypes.

import { type Rows, repeatMask } from '../data/matrix.js';
import { denseRows, type Features, isSparse, type SparseRows } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { DataError, OptionError } from '../errors.js';
import { comparesDirections } from '../formulas/distances.js';
import { hasBandwidths } from '../formulas/routing.js';
import { mostVectors } from '../heads/classifier.js';
import type { Head } from '../heads/head.js';
import type { Random } from '../random.js';
import { fittingScaler, type ScalerArrays, type Scaling } from '../scaling/scaler.js';
import { unitOf } from '../scaling/sparse-scaler.js';
import { commonUnit } from '../scaling/unit.js';
import type { Batch } from '../state/batch.js';
import type { AnyEncoding } from '../state/encoding.js';
import type { Resolved } from '../state/options.js';
import { countedRows, drawByWeight, inRows, wholeRows } from '../state/row-counts.js';
import type { Label, ModelState } from '../state/state.js';
import { isTableEncoding, plainColumns } from '../state/table-encoding.js';
import { asCompared, type Context, scaleBatch, scaleFeatures } from '../training/context.js';
import { inTurns } from '../training/progress.js';
import { growClasses } from './grow-classes.js';
import { jointStart } from './joint.js';
import { chooseMetric } from './metric.js';
import { rowsStart } from './rows.js';
import { strataStart } from './strata.js';

/**
 * Default limits: at most 400 prototypes, so that they fit the caches, and four rows for each. With few rows, each is a prototype.
 */
const mostPrototypes = 400;
const rowsPerPrototype = 4;
const fewRows = 16;
const defaultHeads = 8;
/** Most rows used for the metric and the strata. */
const mostRows = 2 ** 14;
/** Least number of prototypes in a head by default. */
const leastPerHead = 8;

/** What is determined before the first prototype. */
export type Settled = Pick<
  ModelState,
  'rawColumns' | 'outputs' | 'classes' | 'targetCenter' | 'scaling' | 'joint' | 'unit'
>;

export const empty = (random: Random, count: number, settled: Settled): Omit<ModelState, 'arrays'> => ({
  ages: new Float64Array(count).fill(settled.unit ?? 1),
  coordinateAges: null,
  moments: null,
  spread: new Float64Array(0),
  variances: null,
  random: random.save(),
  step: 0,
  trained: false,
  batches: 0,
  ...settled,
});

/**
 * The number of prototypes and heads of a joint start from this many distinct rows; K is a multiple of H. Each of the `classes`
 * gets at least one prototype, unless the options give the number.
 */
export function gridSize(
  { nPrototypes, kInit, heads }: Resolved,
  rows: number,
  outputs: number,
  classes: number,
  carries: boolean,
): { count: number; heads: number } {
  const perClass = typeof kInit === 'number' ? kInit * outputs : undefined;
  const few = Math.min(rows, fewRows);
  const automatic = Math.min(mostPrototypes, Math.max(few, Math.floor(rows / rowsPerPrototype)));
  const count = Math.min(nPrototypes ?? perClass ?? Math.max(classes, automatic), rows);
  // Owners need prototypes of every class in every head, so the default is one head.
  const most = carries ? defaultHeads : 1;
  const chosen = heads ?? Math.max(1, Math.min(most, Math.floor(count / leastPerHead)));
  const used = Math.min(chosen, count);
  const even = count - (count % used);
  return { count: even < Math.min(classes, count) ? even + used : even, heads: used };
}

/** Weighted mean and deviation of every target column; the deviation of a constant column counts as 1. */
function targetUnits(targets: Features, sampleWeight: Float32Array): Record<string, NdArray> {
  const y = denseRows(targets);
  const total = sampleWeight.reduce((a, b) => a + b, 0);
  const columns = Array.from({ length: y.columns }, (_, t) => t);
  const value = (i: number, t: number): number => y.data[i * y.columns + t] as number;
  const mean = columns.map((t) => sampleWeight.reduce((sum, w, i) => sum + w * value(i, t), 0) / total);
  const variance = columns.map(
    (t) => sampleWeight.reduce((sum, w, i) => sum + w * (value(i, t) - (mean[t] as number)) ** 2, 0) / total,
  );
  return {
    'target.mean': ndarray(mean, [y.columns]),
    'target.deviation': ndarray(
      // A deviation below float32 resolution is rounding in a constant column.
      variance.map((v, t) => (Math.sqrt(v) > 1e-7 * Math.abs(mean[t] as number) ? Math.sqrt(v) : 1)),
      [y.columns],
    ),
  };
}

/** The arrays of a grid besides prototypes, owners and targets. */
export function routingArrays(
  options: Resolved,
  routes: boolean,
  count: number,
  columns: number,
): Record<string, NdArray> {
  const gaussian = hasBandwidths(options.softType);
  const weights = options.featureWeights ?? new Float32Array(columns).fill(1);
  const weighted = (gaussian && routes) || options.featureWeights || options.autoFeatureWeights;
  return {
    ...(weighted ? { featureWeights: ndarray(weights, [1, columns]) } : {}),
    ...(gaussian
      ? {
          logBandwidth: ndarray(new Float32Array(count), [count]),
          bias: ndarray(new Float32Array(count), [count]),
        }
      : {}),
    frozen: ndarray(new Uint8Array(count), [count], 'bool'),
  };
}

export function checkFeatureWeights(options: Resolved, columns: number, call: string): void {
  const given = options.featureWeights?.length;
  if (given !== undefined && given !== columns) {
    throw new OptionError(`${call}: featureWeights has ${given} values, there are ${columns} columns.`, {
      option: 'featureWeights',
      length: given,
      expected: columns,
    });
  }
}

/** Scaled rows with masked values at 0, the mean: slopes need a value. */
function atMean(x: Rows, mask: Rows | undefined): Rows {
  if (!mask) return x;
  const every = repeatMask(mask, x.rows).data;
  return { ...x, data: x.data.map((value, i) => ((every[i] as number) > 0 ? value : 0)) };
}

/** The columns of an answer, and the names of the classes. */
export interface Outputs {
  readonly outputs: number;
  readonly classes: readonly Label[];
  /** The offset of the targets; undefined before the first targets. */
  readonly targetCenter?: Float64Array | null | undefined;
  /** The weight of one of the first rows, if equal rows were merged since. */
  readonly unit?: number | null | undefined;
  /** What made X of a table. */
  readonly encoding?: AnyEncoding | undefined;
}

/** The initial state from the first batch of raw rows, by the options' initMode. */
export async function initialise(
  context: Context,
  first: Batch,
  { outputs, classes, targetCenter = null, unit, encoding }: Outputs,
  random: Random,
  call: string,
): Promise<ModelState> {
  const { programs, options, family, signal } = context;
  const carries = family.carries(options, outputs);
  const head = family.head(options, carries);
  if (!first.sampleWeight.some((w) => w > 0)) {
    throw new DataError(`${call}: all weights of the first batch are zero; start with rows that count.`, {
      argument: 'sampleWeight',
    });
  }
  const { batch: raw, unit: counted } = countedRows(asCompared(options, first), unit ?? undefined);
  const { x, y, sampleWeight, mask } = raw;
  const start = startOf(context, head, outputs, call);
  const settled: Settled = {
    rawColumns: x.columns,
    outputs,
    classes,
    targetCenter,
    scaling: options.scaling ?? (isSparse(x) ? 'none' : defaultScaling(options, head)),
    joint: start === 'joint' && head.code !== null,
    unit: options.arithmetic === 'original' ? 1 : counted,
  };
  checkFeatureWeights(options, x.columns, call);
  checkSparse(options, x, call);
  const scaler = isSparse(x)
    ? sparseScaler(options, head, x, mask, sampleWeight)
    : await inTurns(
        fittingScaler(
          settled.scaling,
          x,
          mask,
          sampleWeight,
          isTableEncoding(encoding) ? plainColumns(encoding) : undefined,
        ),
        signal,
      );
  const comparesAsTheyCame = !comparesDirections(options.distance) && Object.keys(scaler).length === 0;
  const arrays: Record<string, NdArray> = {
    ...scaler,
    ...(comparesAsTheyCame ? commonUnit(x, mask) : {}),
    ...(head.code?.standardised ? targetUnits(y, sampleWeight) : {}),
  };
  const shell = (): ModelState => ({ ...empty(random, 0, settled), arrays });
  let batch = await scaleBatch(context, shell(), raw);
  const metricMode = options.metric ?? (start === 'joint' ? 'auto' : 'none');
  if (metricMode !== 'none' && !isSparse(batch.x)) {
    const centered = { ...batch, x: atMean(batch.x, batch.mask), mask: undefined };
    const drawn = drawByWeight(centered, mostRows, random);
    const sample = { ...drawn, x: denseRows(drawn.x), y: denseRows(head.coordinatesOf(drawn.y, outputs)) };
    const metric = await chooseMetric(
      programs,
      { metric: metricMode, distance: options.distance },
      sample,
      random,
      signal,
    );
    if (metric) {
      // Only the last stage of the scaler; the stages before it have been applied.
      const stage = { 'scaler.metric': ndarray(metric.map(Math.sqrt), [metric.length]) };
      const scaled = { scaling: 'none', rawColumns: metric.length, arrays: stage } as const;
      batch = { ...batch, ...(await scaleFeatures(context, scaled, batch.x, batch.mask)) };
      Object.assign(arrays, stage);
    }
  }
  const { columns } = batch.x;
  // The scaler drops constant columns, and so their weights.
  const { 'scaler.columns': moved, 'scaler.plain': plain } = arrays;
  const varying = moved && [...moved.data, ...(plain?.data ?? [])];
  const given = options.featureWeights;
  const featureWeights = given && varying ? Float32Array.from(varying, (j) => given[j] as number) : given;
  const bare = { ...shell(), random: random.save() };
  if (start !== 'joint' && head.start === 'owners') {
    const routed = routingArrays({ ...options, featureWeights }, head.routes, 0, columns);
    const none: Record<string, NdArray> = {
      ...arrays,
      ...routed,
      prototypes: ndarray([], [0, columns]),
      owners: ndarray([], [0], 'int32'),
      ...(head.code ? { targets: ndarray([], [0, outputs]) } : {}),
    };
    const weights = inRows(batch, 1 / (bare.unit ?? 1));
    const covered = await growClasses(context, { ...bare, arrays: none }, weights, start);
    if (covered.ages.length > 0) return covered;
    throw new DataError(`${call}: y holds no label in the first rows; start with rows that have some.`, {
      argument: 'y',
    });
  }
  let grid: Record<string, NdArray>;
  if (start === 'joint') {
    const classes = head.candidates === 'class' ? outputs : 0;
    const size = gridSize(options, wholeRows(sampleWeight), outputs, classes, carries);
    const geometry = { distance: options.distance, columns, outputs, head, prototypes: size.count };
    grid = await jointStart(
      programs,
      { ...geometry, heads: size.heads },
      batch,
      featureWeights,
      random,
      signal,
    );
  } else {
    grid =
      head.start === 'strata'
        ? await strataStart(
            programs,
            head,
            outputs,
            options,
            drawByWeight(batch, mostRows, random),
            start,
            random,
          )
        : await rowsStart(programs, options, batch, start, random);
  }
  const count = (grid.prototypes as NdArray).shape[0] as number;
  return {
    ...empty(random, count, settled),
    arrays: {
      ...arrays,
      ...routingArrays({ ...options, featureWeights }, head.routes, count, columns),
      ...grid,
    },
  };
}

/** Errors: OptionError for options that would fill sparse rows. */
function checkSparse(options: Resolved, x: Features, call: string): void {
  if (!isSparse(x)) return;
  const wanted = [
    ['scaling', options.scaling === 'none' ? undefined : options.scaling],
    ['metric', options.metric === 'slopes' ? options.metric : undefined],
  ] as const;
  for (const [option, value] of wanted) {
    if (value === undefined) continue;
    throw new OptionError(
      `${call}: ${option} '${value}' needs dense rows, and X is sparse; set '${option}' to 'none'.`,
      {
        option,
        value,
      },
    );
  }
}

/** One factor for all columns; none with scaling 'none', cosine, or a clusterer. */
function sparseScaler(
  { scaling, distance }: Resolved,
  head: Head,
  x: SparseRows,
  mask: Rows | undefined,
  sampleWeight: Float32Array,
): ScalerArrays {
  if (scaling === 'none' || head.start === 'rows' || comparesDirections(distance)) return {};
  const factors = new Float32Array(x.columns).fill(unitOf(x, mask, sampleWeight));
  return { 'scaler.metric': ndarray(factors, [x.columns]) };
}

/** The default scaling: weights of raw columns need columns that keep their meaning, and a clusterer clusters rows as given. */
const defaultScaling = ({ distance, featureWeights }: Resolved, head: Head): Scaling =>
  head.start === 'rows' || comparesDirections(distance) ? 'none' : featureWeights ? 'standard' : 'dual';

/** Most classes that a joint start clusters as additional columns. */
const mostJoint = mostVectors;

/** The start by the options, or a suitable one for this number of classes. Errors: OptionError for options that it cannot have. */
function startOf(
  { options }: Context,
  head: Head,
  outputs: number,
  call: string,
): 'joint' | 'kmeans++' | 'random' {
  const { initMode, softType } = options;
  if (initMode !== undefined) return initMode as 'joint' | 'kmeans++' | 'random';
  if (hasBandwidths(softType) && head.start !== 'rows' && (outputs <= mostJoint || head.code)) return 'joint';
  for (const option of ['heads', 'metric', 'nPrototypes'] as const) {
    const value = options[option];
    if (value === undefined || value === 1 || value === 'none' || head.start === 'rows') continue;
    throw new OptionError(
      `${call}: ${option} ${value} needs initMode 'joint', not the default with ${outputs} classes; set it.`,
      { option, value },
    );
  }
  return 'kmeans++';
}
