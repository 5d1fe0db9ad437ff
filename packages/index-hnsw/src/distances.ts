// The distances of core that an index measures. With any other `hnswIndex` is refused by an OptionError, and a model with
// `useIndex: 'auto'` compares exactly.

import type { Distance } from '@fkm/core';

export type HnswDistance = Extract<Distance, 'euclidean' | 'cosine' | 'l1'>;

/** Their codes in files, which never change. */
export const distanceCodes: Readonly<Record<HnswDistance, number>> = { euclidean: 0, cosine: 1, l1: 2 };

/** The distance of a code in a file; undefined for a code of a later version. */
export const distanceOfCode = (code: number): HnswDistance | undefined =>
  (Object.keys(distanceCodes) as HnswDistance[]).find((name) => distanceCodes[name] === code);

const measured: Readonly<Record<'portable' | 'usearch', readonly HnswDistance[]>> = {
  portable: ['euclidean', 'cosine', 'l1'],
  usearch: ['euclidean', 'cosine'],
};

export const isMeasured = (engine: keyof typeof measured, distance: HnswDistance): boolean =>
  measured[engine].includes(distance);
