// Checks that arrays read from a file form a state: names, types and shapes that fit each other, indices within bounds, and numbers
// that a model can have. Damage is found here, before any graph is built on it.

import type { DType, NdArray } from '../dtype.js';
import { cut } from '../errors.js';
import { momentSize } from '../formulas/moments.js';
import { hasBandwidths } from '../formulas/routing.js';
import type { HeadFamily } from '../heads/head.js';
import { excessOf, readsMembers } from '../heads/members.js';
import type { Scaling } from '../scaling/scaler.js';
import { type AnyEncoding, anyWidth } from '../state/encoding.js';
import type { Resolved } from '../state/options.js';
import type { Label, ModelState } from '../state/state.js';
import { halvedNames, masterName } from '../state/storage.js';
import { wrongNumber } from './checked-values.js';

export interface ReadState {
  readonly arrays: Readonly<Record<string, NdArray>>;
  readonly wide: Readonly<Record<string, Float64Array>>;
  readonly scalars: Readonly<Record<string, unknown>>;
  readonly options: Resolved;
  readonly family: HeadFamily;
}

const wideNames = ['ages', 'coordinateAges', 'moments', 'spread', 'variances', 'targetCenter'];

const whole = (value: unknown, least: number): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least;

/** More classes than any file has; sizes are multiplied by the number of classes. */
const mostOutputs = 2 ** 31;

const isScaling = (value: unknown): value is Scaling =>
  ['none', 'standard', 'quantile', 'dual'].includes(value as string);

const isLabels = (value: unknown): value is readonly Label[] =>
  Array.isArray(value) &&
  new Set(value).size === value.length &&
  (value.every((label) => typeof label === 'string') || value.every((label) => Number.isFinite(label)));

/** The state, or half a sentence that says what is wrong with it. */
export function checkState({ arrays, wide, scalars, options, family }: ReadState): ModelState | string {
  const { random, step, trained, given, batches, rawColumns, outputs, classes, scaling, joint, encoding } =
    scalars;
  // Files older than the unit have none; a row had weight 1.
  const { unit = 1 } = scalars;
  if (!whole(step, 0) || !whole(batches, 0) || !whole(rawColumns, 1)) return 'a counter is no integer';
  const isWord = (word: unknown): boolean => whole(word, 0) && word < 2 ** 32;
  if (!Array.isArray(random) || random.length !== 4 || !random.every(isWord)) {
    return 'the random generator is not four integers of 32 bits';
  }
  if (typeof trained !== 'boolean') return 'trained is neither true nor false';
  if (given !== undefined && given !== true) return 'given is not true';
  if (typeof joint !== 'boolean') return 'joint is neither true nor false';
  if (unit !== null && !(typeof unit === 'number' && unit > 0 && unit < Number.POSITIVE_INFINITY))
    return 'the unit is no weight';
  if (!isScaling(scaling)) return 'the scaling is unknown';
  if (!whole(outputs, 0) || outputs > mostOutputs) return 'outputs is not a count';
  if (!isLabels(classes)) return 'the classes are no list of labels';
  if (encoding !== undefined) {
    const encoded = anyWidth(encoding);
    if (encoded === null) return 'the encoding is not valid';
    if (encoded !== rawColumns) return `the encoding gives ${encoded} columns, the rows have ${rawColumns}`;
  }
  const carries = arrays.targets !== undefined;
  const head = family.head(options, carries);
  const { routes, start } = head;
  if (!family.supervised && outputs > 0) return `clusters have no outputs, the file says ${outputs}`;
  if (head.outputs !== undefined && carries && outputs !== head.outputs)
    return `${outputs} outputs are not the ${head.outputs} that the options say`;
  const owned = start === 'owners';
  if (owned && classes.length !== outputs) return `${classes.length} classes are not ${outputs} outputs`;
  if (owned && carries !== family.carries(options, outputs)) return 'targets do not fit the options';
  const gaussian = hasBandwidths(options.softType);
  const [prototypes, columns] = arrays.prototypes?.shape ?? [];
  const targets = outputs;
  const yColumns = head.yColumns(outputs);
  const heads = arrays.featureWeights?.shape[0] ?? 1;
  const kept = arrays['scaler.columns']?.shape[0] ?? 0;
  const knots = arrays['scaler.knots']?.shape[0] ?? 0;
  const plain = arrays['scaler.plain']?.shape[0] ?? 0;
  if (prototypes === undefined || columns === undefined || prototypes < 1 || columns < 1)
    return 'there are no prototypes';
  if (heads < 1 || prototypes % heads !== 0) return `${heads} heads do not divide ${prototypes} prototypes`;

  const scaled = scaling !== 'none';
  const ranks = scaling === 'quantile' || scaling === 'dual';
  const standard = scaling === 'standard' || scaling === 'dual';
  if (
    ranks &&
    (kept < 1 || knots % kept !== 0 || !Number.isInteger(Math.log2(knots / kept)) || knots < 2 * kept)
  ) {
    return 'the quantiles do not fit the columns';
  }
  const width = scaling === 'none' ? rawColumns : (scaling === 'dual' ? 2 * kept : kept) + plain;
  if (columns !== width) return `prototypes have ${columns} columns, the scaler gives ${width}`;

  const { dtype: storedAs = 'float32' } = options;
  const linear = options.prototypeModel === 'linear';
  // Every array that a state can have: its type, its shape, and whether it is required.
  const rows: Readonly<Record<string, readonly [DType, readonly number[], boolean]>> = {
    prototypes: [storedAs, [prototypes, columns], true],
    targets: [storedAs, [prototypes, targets], family.numeric && targets > 0],
    ...(owned ? { owners: ['int32', [prototypes], true] as const } : {}),
    ...(head.labels ? { thresholds: ['float32', [targets], false] as const } : {}),
    ...(head.reads.logits ? { sharpness: ['float32', [], false] as const } : {}),
    ...(linear
      ? {
          slopes: ['float32', [prototypes, targets, columns], false] as const,
          'target.low': ['float32', [targets], arrays['target.high'] !== undefined] as const,
          'target.high': ['float32', [targets], arrays['target.low'] !== undefined] as const,
        }
      : {}),
    featureWeights: ['float32', [heads, columns], gaussian && routes],
    logBandwidth: ['float32', [prototypes], gaussian],
    bias: ['float32', [prototypes], gaussian],
    frozen: ['bool', [prototypes], true],
    'scaler.columns': ['int32', [kept], scaled],
    'scaler.plain': ['int32', [plain], false],
    'scaler.mean': ['float32', [kept], standard],
    'scaler.inverse': ['float32', [kept], standard],
    'scaler.knots': ['float32', [knots], ranks],
    'scaler.scores': ['float32', [knots], ranks],
    'scaler.metric': ['float32', [columns], false],
    'scaler.unit': ['float32', [1], false],
    'target.mean': ['float32', [yColumns], arrays['target.deviation'] !== undefined],
    'target.deviation': ['float32', [yColumns], arrays['target.mean'] !== undefined],
  };
  const shapeOf = (name: string): (typeof rows)[string] | undefined =>
    Object.hasOwn(rows, name) ? rows[name] : undefined;
  for (const [name, { dtype, shape }] of Object.entries(arrays)) {
    // Moments and masters are float32, in the shape of the parameter that they are named after.
    const own = name.replace(/^(adam\.[mv]|master)\./, '');
    const row = shapeOf(own);
    const isMaster = name === masterName(own);
    if (!row || (isMaster && (storedAs === 'float32' || !halvedNames.includes(own)))) {
      return `there is no array ${cut(name)}`;
    }
    const wanted = own === name ? row[0] : 'float32';
    if (dtype !== wanted || `${shape}` !== `${row[1]}`) {
      return `${name} is ${dtype}[${cut(`${shape}`)}], should be ${wanted}[${row[1]}]`;
    }
  }
  for (const [name, [, , required]] of Object.entries(rows)) {
    if (required && !arrays[name]) return `${name} is missing`;
  }
  for (const name of Object.keys(wide)) {
    if (!wideNames.includes(name)) return `there is no array state.${cut(name)}`;
  }
  for (const name of ['scaler.columns', 'scaler.plain']) {
    if (arrays[name]?.data.some((j) => j < 0 || j >= rawColumns)) return `${name} points outside of the rows`;
  }

  if (arrays.owners?.data.some((owner) => owner < 0 || owner >= outputs))
    return 'an owner is not among the classes';
  const excess =
    arrays.owners && readsMembers(head, joint) ? excessOf(arrays.owners.data, outputs, heads) : null;
  if (excess !== null) return excess;

  const { ages, spread, coordinateAges = null, moments = null, variances = null, targetCenter = null } = wide;
  if (ages?.length !== prototypes)
    return `ages has ${ages?.length} values, there are ${prototypes} prototypes`;
  if (!spread || (spread.length !== 0 && spread.length !== 2 * heads)) return 'spread does not fit the heads';
  if (coordinateAges && coordinateAges.length !== prototypes * columns) return 'coordinateAges does not fit';
  const momentsEach = head.sketch ? 2 * head.sketch.points : linear ? momentSize(columns, outputs) : 0;
  if (moments && (momentsEach === 0 || moments.length !== prototypes * momentsEach))
    return 'moments does not fit';
  if (variances && variances.length !== 2 * columns) return 'variances does not fit';
  const wrong = wrongNumber(arrays, wide);
  if (wrong !== null) return wrong;
  if (targetCenter && (!family.numeric || targetCenter.length !== yColumns))
    return 'targetCenter does not fit the targets';
  const counters = { random, step, trained, batches, rawColumns };
  return {
    arrays,
    ages,
    unit,
    spread,
    coordinateAges,
    moments,
    variances,
    ...counters,
    ...(given ? { given } : {}),
    outputs,
    targetCenter,
    classes,
    scaling,
    joint,
    ...(encoding === undefined ? {} : { encoding: encoding as AnyEncoding }),
  };
}
