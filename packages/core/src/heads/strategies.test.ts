// From probabilities to labels, rule by rule, with ties and with a single label.

import { describe, expect, it } from 'vitest';
import { ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { trace } from '../graph/trace.js';
import { decide, type Strategy } from './strategies.js';

function labels(
  strategy: Strategy,
  rows: readonly (readonly number[])[],
  k = 0,
  thresholds?: number[],
  cut = 0.5,
) {
  const columns = rows[0]?.length as number;
  const graph = trace(
    'decide',
    { p: { shape: [-1, columns], dtype: 'float32' }, at: { shape: [columns], dtype: 'float32' } },
    (t) => ({ labels: decide(strategy, t.p, { k, cut, thresholds: t.at }) }),
  );
  const at = ndarray(thresholds ?? new Array<number>(columns).fill(0.5), [columns]);
  const [out] = evaluateGraph(graph, [ndarray(rows.flat(), [rows.length, columns]), at]);
  expect(out?.dtype).toBe('int32');
  return rows.map((_, i) => Array.from(out?.data ?? []).slice(i * columns, (i + 1) * columns));
}

describe('adaptive', () => {
  it('takes what is above the cut', () => {
    expect(labels('adaptive', [[0.5, 0.51, 0.1, 1]])).toEqual([[0, 1, 0, 1]]);
    expect(labels('adaptive', [[0.6], [0.4]])).toEqual([[1], [0]]);
    expect(labels('adaptive', [[0.3, 0.25, 0.2]], 0, undefined, 0.25)).toEqual([[1, 0, 0]]);
  });
});

describe('gap', () => {
  it.each([
    ['cuts at the largest drop', [0.9, 0.1, 0.85, 0.2], [1, 0, 1, 0]],
    ['wherever that is', [0.3, 0.02, 0.28, 0.27], [1, 0, 1, 1]],
    ['of equal drops at the first', [0.75, 0.5, 0.25, 0], [1, 0, 0, 0]],
    ['and leaves equals together', [0.4, 0.9, 0.9, 0.1], [0, 1, 1, 0]],
    ['takes all where all are equal', [0.3, 0.3, 0.3], [1, 1, 1]],
    ['two labels', [0.2, 0.4], [0, 1]],
  ])('%s', (_what, p, want) => {
    expect(labels('gap', [p])).toEqual([want]);
  });
  it('of one label, which has no drop, asks for a half', () => {
    expect(labels('gap', [[0.6], [0.5], [0.1]])).toEqual([[1], [0], [0]]);
  });
});

describe('top_k', () => {
  it.each([
    [1, [0.1, 0.9, 0.5], [0, 1, 0]],
    [2, [0.1, 0.9, 0.5], [0, 1, 1]],
    [3, [0.1, 0.9, 0.5], [1, 1, 1]],
    [7, [0.1, 0.9, 0.5], [1, 1, 1]],
    [2, [0.5, 0.5, 0.5, 0.5], [1, 1, 0, 0]],
    [3, [0.2, 0.8, 0.2, 0.2, 0.9], [1, 1, 0, 0, 1]],
    [2, [0, 0, 0], [1, 1, 0]],
    [1, [0.3], [1]],
  ])('%i of %o', (k, p, want) => {
    expect(labels('top_k', [p], k)).toEqual([want]);
  });
});

describe('tuned', () => {
  it('takes what is above the threshold of the label', () => {
    expect(labels('tuned', [[0.3, 0.3, 0.3]], 0, [0.2, 0.3, 0.4])).toEqual([[1, 0, 0]]);
  });
});
