// The initial state from a caller's grid, which is taken as given.

import { type DenseMatrix, type Rows, toRows, toWideRows } from '../data/matrix.js';
import { denseRows } from '../data/sparse.js';
import { type NdArray, ndarray } from '../dtype.js';
import { DataError, OptionError } from '../errors.js';
import { comparesDirections } from '../formulas/distances.js';
import type { Head, HeadFamily } from '../heads/head.js';
import type { Random } from '../random.js';
import { commonUnit, unitOf } from '../scaling/unit.js';
import type { Batch } from '../state/batch.js';
import { indexOfLabels, sortedLabels } from '../state/labels.js';
import type { InitialGrid, Resolved } from '../state/options.js';
import type { Label, ModelState } from '../state/state.js';
import { centeredTargets, targetCenter } from '../state/target-center.js';
import { majority } from '../training/target-rows.js';
import { checkFeatureWeights, empty, routingArrays } from './initialise.js';

/** Errors: OptionError, DataError if heads, owners and targets do not fit each other. */
export function initialFromGrid(
  options: Resolved,
  family: HeadFamily,
  grid: InitialGrid,
  random: Random,
  call: string,
): ModelState {
  const prototypes = toRows(grid.prototypes, { call, argument: 'initMode.prototypes' });
  const { rows: count, columns } = prototypes;
  const heads = options.heads ?? 1;
  if (count % heads !== 0) {
    throw new OptionError(`${call}: heads is ${heads}, which does not divide ${count} prototypes.`, {
      option: 'heads',
      value: heads,
    });
  }
  checkFeatureWeights(options, columns, call);
  const { candidates, start, yColumns, outputs: said } = family.head(options, true);
  const owned = start === 'owners';
  const told = targetsOf(grid, heads, owned ? null : yColumns, call);
  const { targets } = told;
  const classes = owned ? classesOf(grid, targets?.columns, candidates, call) : [];
  const outputs = owned ? classes.length : (targets?.columns ?? 0);
  const carries = family.carries(options, outputs);
  const { code, routes } = family.head(options, carries);
  if (targets && owned && !carries) {
    throw new OptionError(
      `${call}: initMode.targets are logits, which these options do not use; leave them out.`,
      {
        option: 'initMode',
      },
    );
  }
  if (targets && owned && targets.columns !== outputs) {
    throw new OptionError(
      `${call}: initMode.targets has ${targets.columns} columns, its owners are of ${outputs} classes.`,
      { option: 'initMode' },
    );
  }
  if (targets && said !== undefined && targets.columns !== said) {
    throw new OptionError(
      `${call}: initMode.targets has ${targets.columns} columns, the options say ${said} answers.`,
      { option: 'initMode' },
    );
  }
  let targetValues = targets?.data as ArrayLike<number> | undefined;
  const owners = grid.owners && indexOfLabels(grid.owners as readonly Label[], classes);
  if (owned && carries && !targetValues && owners && code) {
    const means = new Float64Array(count * outputs);
    owners.forEach((owner, k) => {
      means[k * outputs + owner] = 1;
    });
    targetValues = code.store(means, outputs, heads);
  }
  const common = comparesDirections(options.distance) ? {} : commonUnit(prototypes);
  const unit = unitOf(common);
  const none = ndarray(new Int32Array(count), [count], 'int32');
  const arrays: Record<string, NdArray> = {
    ...common,
    prototypes: ndarray(
      prototypes.data.map((p) => p * unit),
      [count, columns],
    ),
    ...(targetValues ? { targets: ndarray(targetValues, [count, targetValues.length / count]) } : {}),
    ...(owned
      ? {
          owners: owners ? ndarray(owners, [count], 'int32') : majority(targetValues ?? [], outputs, none),
        }
      : {}),
    ...routingArrays(options, routes, count, columns),
  };
  const weights = arrays.featureWeights;
  if (weights && heads > 1) {
    const repeated = Array.from({ length: heads }, () => Array.from(weights.data)).flat();
    arrays.featureWeights = ndarray(repeated, [heads, columns]);
  }
  const ages = grid.ages ? Float64Array.from(grid.ages) : new Float64Array(count).fill(1);
  const settled = {
    rawColumns: columns,
    outputs,
    classes,
    targetCenter: told.center,
    scaling: 'none',
    joint: false,
    unit: options.arithmetic === 'original' ? 1 : null,
  } as const;
  return { ...empty(random, count, settled), arrays, ages, ...(targets && owned ? { given: true } : {}) };
}

/** Targets as the model stores them: logits unchanged, numbers minus heads · their mean if float32 cannot resolve it. */
function targetsOf(
  { targets }: InitialGrid,
  heads: number,
  yColumns: Head['yColumns'] | null,
  call: string,
): { readonly targets: Rows | undefined; readonly center: Float64Array | null } {
  if (!targets) return { targets: undefined, center: null };
  const place = { call, argument: 'initMode.targets' };
  const wide = toWideRows(targets as DenseMatrix, place);
  // The answers of heads add up, so each has its share of the offset; answers of one column of y share it.
  const columns = yColumns?.(wide.columns) ?? wide.columns;
  const own = { ...wide, rows: (wide.rows * wide.columns) / columns, columns };
  const share = yColumns && targetCenter(own);
  const { data } = centeredTargets(own, share, place);
  return { targets: { ...wide, data }, center: share?.map((c) => c * heads) ?? null };
}

/** The state with ages in the unit of the first rows: a given grid without ages has the age of one row a prototype. */
export function withUnit(state: ModelState, options: Resolved, unit: number): ModelState {
  if (state.unit !== null) return state;
  const given = typeof options.initMode === 'object' && options.initMode.ages !== undefined;
  return { ...state, unit, ages: given ? state.ages : state.ages.map((age) => age * unit) };
}

/** The classes that owners name, or the columns of the targets. */
function classesOf(
  { owners }: InitialGrid,
  columns: number | undefined,
  candidates: Head['candidates'],
  call: string,
): readonly Label[] {
  const numbered = (count: number): Label[] => Array.from({ length: count }, (_, c) => c);
  if (!owners) {
    if (columns !== undefined) return numbered(columns);
    throw new OptionError(
      `${call}: initMode has neither owners nor targets; give the class of each prototype.`,
      {
        option: 'initMode',
      },
    );
  }
  const names = sortedLabels(owners as readonly Label[], call, 'initMode.owners');
  if (candidates !== 'labels' || typeof names[0] === 'string') return names;
  // Labels without names are columns of y; some of them may own no prototype.
  const last = names[names.length - 1] as number;
  if (names.some((name) => !Number.isInteger(name) || (name as number) < 0)) {
    throw new DataError(`${call}: initMode.owners should be columns of y, from 0, or names.`, {
      argument: 'initMode.owners',
    });
  }
  return numbered(Math.max(last + 1, columns ?? 0));
}

/** The state with all targets at the mean of the first batch, for a grid that came without targets. */
export function answeringMean(
  state: ModelState,
  first: Batch,
  heads: number,
  center: Float64Array | null,
): ModelState {
  const count = state.ages.length;
  const { columns, data } = denseRows(first.y);
  const total = first.sampleWeight.reduce((a, b) => a + b, 0);
  const mean = Array.from({ length: columns }, (_, t) =>
    first.sampleWeight.reduce((sum, w, i) => sum + (w * (data[i * columns + t] as number)) / total, 0),
  );
  const targets = Array.from({ length: count }, () => mean.map((m) => m / heads)).flat();
  return {
    ...state,
    outputs: columns,
    targetCenter: center,
    arrays: { ...state.arrays, targets: ndarray(targets, [count, columns]) },
  };
}
