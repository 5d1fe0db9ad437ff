// The distances of core that an index can measure. For others, `hnswIndex` throws an OptionError, and a model with `useIndex:
// 'auto'` stays exact.

import type { Distance } from '@fkm/core';

export type HnswDistance = Extract<Distance, 'euclidean' | 'cosine' | 'l1'>;

/** Codes of the distances in files, which never change. */
export const distanceCodes: Readonly<Record<HnswDistance, number>> = { euclidean: 0, cosine: 1, l1: 2 };

/** The distance of a code in a file; undefined for codes of later versions. */
export const distanceOfCode = (code: number): HnswDistance | undefined =>
  (Object.keys(distanceCodes) as HnswDistance[]).find((name) => distanceCodes[name] === code);

const measured: Readonly<Record<'portable' | 'usearch', readonly HnswDistance[]>> = {
  portable: ['euclidean', 'cosine', 'l1'],
  usearch: ['euclidean', 'cosine'],
};

export const isMeasured = (engine: keyof typeof measured, distance: HnswDistance): boolean =>
  measured[engine].includes(distance);
