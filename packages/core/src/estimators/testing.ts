// Small seeded data and models for the tests of this folder; nothing else imports it.

import { expect } from 'vitest';
import type { Backend } from '../backend.js';
import { type ErrorKind, isFkmError } from '../errors.js';
import type { InitialGrid } from '../model/initial-grid.js';
import type { RegressorOptions } from '../model/options.js';
import { Random } from '../random.js';
import { jsBackend } from '../reference/js-backend.js';
import { FastKMeansRegressor } from './regressor.js';

export const backend: Backend = jsBackend();

/** Rows of D uniform features in [−1, 1], and a smooth target of them. */
export function rows(count: number, columns = 3, seed = 1): { X: number[][]; y: number[] } {
  const random = new Random(seed);
  const X = Array.from({ length: count }, () =>
    Array.from({ length: columns }, () => 2 * random.uniform() - 1),
  );
  const y = X.map((x) => 3 * (x[0] as number) + Math.sin(4 * (x[1] as number)));
  return { X, y };
}

/** Some of the options; undefined is as good as absent. */
export type Settings = { readonly [N in keyof RegressorOptions]?: RegressorOptions[N] | undefined };

/** Plain and quick: one head, few prototypes. */
export const small = (options: Settings = {}): FastKMeansRegressor =>
  new FastKMeansRegressor({
    backend,
    nPrototypes: 6,
    heads: 1,
    metric: 'none',
    ...options,
  } as RegressorOptions);

/** Three prototypes with a target each. */
export const triangle: InitialGrid = {
  prototypes: [
    [0, 0],
    [4, 0],
    [0, 4],
  ],
  targets: [0, 1, 2],
};

/** Starts at a grid, so that every number is known. */
export const given = (options: Settings = {}): FastKMeansRegressor =>
  new FastKMeansRegressor({
    backend,
    softType: 'scaled',
    initMode: triangle,
    ...options,
  } as RegressorOptions);

export interface Expected {
  readonly kind: ErrorKind;
  /** Every text that the message has to contain. */
  readonly says: readonly string[];
}

/** The call fails with an error of that kind whose message says that. */
export async function expectError(call: () => unknown, { kind, says }: Expected): Promise<void> {
  let caught: unknown;
  try {
    await call();
  } catch (error) {
    caught = error;
  }
  if (!isFkmError(caught))
    throw new Error(`expected a typed error, got ${caught && (caught as Error).stack}`);
  expect(caught.kind, caught.message).toBe(kind);
  for (const text of says) expect(caught.message).toContain(text);
}
