// The data sets for accuracy, one row a set. A new set is a new row; a new task is a row in tasks.ts.

import { Failure } from './failure.ts';
import { type Labelled, type Parts, type Rows, split } from './rows.ts';
import { besides, flat, oneHot, openSet, type Stored, toLabelled } from './stored.ts';
import type { TaskName } from './tasks.ts';

interface SetRow {
  readonly task: TaskName;
  /** Share of the rows for testing. Default a fifth. */
  readonly held?: number;
  /** Most training rows, drawn by seed. */
  readonly most?: number;
  /** The better score of XGBoost 1.7 and HistGradientBoosting on one such split. */
  readonly boosted: number;
  /** Scores of an early prototype of this method with a grid, heads, and heads after a slopes metric; the best is the target. */
  readonly recipes: readonly number[];
  /** Combines arrays, if X is stored in parts. */
  readonly features?: (arrays: Readonly<Record<string, Stored>>) => Rows;
}

/** Tolerance for the noise of a split. */
const tolerance = 0.005;

/** Numeric columns and the two one-hot lists side by side. */
export const covertype = ({ Xnum, wilderness, soil }: Readonly<Record<string, Stored>>): Rows =>
  besides(flat(Xnum as Stored), oneHot(wilderness as Stored, 4), oneHot(soil as Stored, 40));

const sets: Readonly<Record<string, SetRow>> = {
  california_housing: { task: 'regression', held: 0.1, boosted: 0.847, recipes: [0.804, 0.832, 0.854] },
  bike_sharing_hour: { task: 'regression', boosted: 0.954, recipes: [0.951, 0.952, 0.949] },
  protein_casp: { task: 'regression', boosted: 0.67, recipes: [0.643, 0.639, 0.628] },
  kin8nm: { task: 'regression', boosted: 0.809, recipes: [0.912, 0.922, 0.929] },
  diamonds: { task: 'regression', boosted: 0.982, recipes: [0.982] },
  covertype_93k: {
    task: 'classes',
    most: 50_000,
    boosted: 0.883,
    recipes: [0.87, 0.871, 0.882],
    features: covertype,
  },
  letter: { task: 'classes', boosted: 0.967, recipes: [0.968, 0.972, 0.972] },
  pendigits: { task: 'classes', boosted: 0.991, recipes: [0.995] },
  satimage: { task: 'classes', boosted: 0.921, recipes: [0.907, 0.9, 0.899] },
  digits: { task: 'classes', boosted: 0.978, recipes: [0.978] },
  shuttle: { task: 'classes', boosted: 1, recipes: [0.999] },
  adult: { task: 'classes', boosted: 0.874, recipes: [0.846, 0.857, 0.855] },
  ml_scene: { task: 'labels', boosted: 0.762, recipes: [0.816, 0.823, 0.792] },
  ml_yeast: { task: 'labels', boosted: 0.391, recipes: [0.485, 0.48, 0.496] },
  ml_emotions: { task: 'labels', boosted: 0.651, recipes: [0.679, 0.703, 0.7] },
};

export const setNames: readonly string[] = Object.keys(sets);

/** A row of the table, with its target. Errors: Failure for an unknown name. */
export function describeSet(name: string): SetRow & { readonly target: number } {
  const row = sets[name];
  if (!row) throw new Failure(`there is no row for the set ${name}; there are ${setNames.join(', ')}.`);
  return { ...row, target: Math.max(...row.recipes) - tolerance };
}

/** All rows of a set, as stored. Errors: Failure if the set is missing. */
export const loadRows = async (name: string, folder: string): Promise<Labelled> =>
  toLabelled(await openSet(name, folder), describeSet(name).features);

/**
 * The rows of a set, split by seed. For validation, a tenth of the training rows is held out, and the test rows are not used.
 * Errors: Failure if the set is missing.
 */
export async function loadParts(
  name: string,
  folder: string,
  seed: number,
  validation = false,
): Promise<Parts> {
  const { held = 0.2, most } = describeSet(name);
  const parts = split(await loadRows(name, folder), held, seed, most);
  return validation ? split(parts.train, 0.1, seed) : parts;
}
