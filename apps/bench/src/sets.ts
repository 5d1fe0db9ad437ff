// The data sets that accuracy is measured on: one row a set. Another set is another row; another task is a row in tasks.ts.

import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Failure } from './failure.ts';
import type { Labelled, Rows } from './rows.ts';
import type { TaskName } from './tasks.ts';

interface SetRow {
  readonly task: TaskName;
  /** Share of the rows that judges. */
  readonly held: number;
  /** What SPEC §10 asks for, with at most 400 prototypes. */
  readonly target: number;
}

export type SetName = 'california_housing' | 'kin8nm' | 'diamonds' | 'bike_sharing_hour' | 'protein_casp';

const sets: Readonly<Record<SetName, SetRow>> = {
  california_housing: { task: 'regression', held: 0.1, target: 0.845 },
  kin8nm: { task: 'regression', held: 0.2, target: 0.915 },
  diamonds: { task: 'regression', held: 0.2, target: 0.981 },
  bike_sharing_hour: { task: 'regression', held: 0.2, target: 0.947 },
  protein_casp: { task: 'regression', held: 0.2, target: 0.635 },
};

export const setNames: readonly SetName[] = Object.keys(sets) as SetName[];

export const describeSet = (name: SetName): SetRow => sets[name];

/** Where the sets lie unless --data says otherwise. */
export const defaultFolder: string = fileURLToPath(new URL('../../../../shared/data', import.meta.url));

/** The part of load.mjs that is used. */
interface Loader {
  load(
    name: string,
  ): Readonly<Record<string, { readonly data: ArrayLike<number>; readonly shape: readonly number[] }>>;
}

/** Errors: Failure where the folder or the set is absent. */
export async function loadSet(name: SetName, folder: string): Promise<Labelled> {
  const loader = resolve(folder, 'load.mjs');
  if (!existsSync(loader)) {
    throw new Failure(
      `the data sets are not here: ${loader} does not exist; give their folder with --data PATH.`,
    );
  }
  if (!existsSync(join(folder, name, 'meta.json'))) {
    throw new Failure(`the set ${name} is not here: ${join(folder, name)} has no meta.json.`);
  }
  const { load } = (await import(pathToFileURL(loader).href)) as Loader;
  const { X, y } = load(name);
  if (!X || !y) throw new Failure(`the set ${name} in ${folder} lacks ${X ? 'y' : 'X'}.`);
  const rows = ({ data, shape }: typeof X): Rows => ({
    data: Float32Array.from(data),
    shape: [shape[0] as number, shape[1] ?? 1],
  });
  return { X: rows(X), y: rows(y) };
}
