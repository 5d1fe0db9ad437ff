// Votes for classes: shares of the owners by both paths, logits, and how what rows say is stored.

import { describe, expect, it } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { type Tensor, type TensorSpec, trace } from '../graph/trace.js';
import { Random } from '../random.js';
import type { Resolved } from '../state/options.js';
import type { Origin } from './calibration.js';
import { classifierHeads } from './classifier.js';
import type { Head, Routed } from './head.js';
import { multiLabelHeads } from './multi-label.js';

const options = {
  softType: 'gaussian',
  aslGammaNeg: 2,
  aslGammaPos: 0,
  aslClip: 0.05,
  labelSmoothing: 0,
} as Resolved;
const owners = classifierHeads.head(options, false);
const vectors = classifierHeads.head(options, true);

/** What a head reads off weights [B, K], or its loss for classes y. */
function ask(
  head: Head,
  what: 'label' | 'probabilities' | 'loss',
  arrays: Readonly<Record<string, NdArray>>,
  { heads = 1, outputs, origin = 'given' }: { heads?: number; outputs: number; origin?: Origin },
): number[] {
  const batched = new Set(['weights', 'y']);
  const specs = Object.fromEntries(
    Object.entries(arrays).map(([name, { shape, dtype }]): [string, TensorSpec] => [
      name,
      { shape: batched.has(name) ? [-1, ...shape.slice(1)] : shape, dtype },
    ]),
  );
  const graph = trace('ask', specs, (t: Readonly<Record<string, Tensor>>) => {
    const routed = { weights: t.weights, parameters: t, heads, outputs, origin } as unknown as Routed;
    const read = head.reads[what];
    return { out: read ? read(routed, 0) : head.loss(routed, t.y as Tensor) };
  });
  return Array.from(evaluateGraph(graph, Object.values(arrays))[0]?.data ?? []);
}

/** Rows of weights that add up to 1. */
function weights(rows: number, count: number): NdArray {
  const random = new Random(3);
  const data = Array.from({ length: rows }, () => {
    const row = Array.from({ length: count }, () => random.uniform() ** 4);
    const total = row.reduce((a, b) => a + b, 0);
    return row.map((w) => w / total);
  });
  return ndarray(data.flat(), [rows, count]);
}

describe('shares of the owners', () => {
  const [rows, count] = [3, 1100];
  const w = weights(rows, count);
  const random = new Random(8);
  const mine = Int32Array.from({ length: count }, () => random.below(900));
  const arrays = { weights: w, owners: ndarray(mine, [count], 'int32') };
  const want = (outputs: number): number[] => {
    const out = new Array<number>(rows * outputs).fill(0);
    w.data.forEach((value, i) => {
      const at = Math.floor(i / count) * outputs + (mine[i % count] as number);
      out[at] = (out[at] as number) + value;
    });
    return out;
  };

  // 1100 · 950 < 2^20 < 1100 · 1000
  it.each([
    ['by a product', 950],
    ['by a scatter', 1000],
  ])('are sums of weights, %s', (_path, outputs) => {
    const got = ask(owners, 'probabilities', arrays, { outputs });
    expect(got).toHaveLength(rows * outputs);
    want(outputs).forEach((share, i) => {
      expect(Math.abs((got[i] as number) - share)).toBeLessThan(1e-6);
    });
    const labels = ask(owners, 'label', arrays, { outputs });
    labels.forEach((label, i) => {
      const own = got.slice(i * outputs, (i + 1) * outputs);
      expect(own[label]).toBe(Math.max(...own));
    });
  });

  it('are equal by one-hot and by scatter, and means over several heads', () => {
    const [one, other] = [950, 1000].map((outputs) => ask(owners, 'probabilities', arrays, { outputs })) as [
      number[],
      number[],
    ];
    for (let i = 0; i < rows; i++) {
      for (let c = 0; c < 900; c++) {
        expect(other[i * 1000 + c]).toBeCloseTo(one[i * 950 + c] as number, 6);
      }
    }
    const halves = ask(owners, 'probabilities', arrays, { outputs: 950, heads: 2 });
    expect(halves[mine[0] as number]).toBeCloseTo((one[mine[0] as number] as number) / 2, 6);
  });

  it('cost −log of the share of the true class, and no more than its floor allows', () => {
    const few = {
      weights: ndarray([0.2, 0.3, 0.5, 1, 0, 0], [2, 3]),
      owners: ndarray([1, 0, 1], [3], 'int32'),
      y: ndarray([1, 0], [2, 1]),
    };
    const [right, wrong] = ask(owners, 'loss', few, { outputs: 3 }) as [number, number];
    expect(right).toBeCloseTo(-Math.log(0.7), 5);
    expect(wrong).toBeCloseTo(-Math.log(1e-9), 3);
  });
});

describe('vectors', () => {
  it('answer the softmax of Σ r·targets, and cost −log of it at the true class', () => {
    const arrays = {
      weights: ndarray([0.25, 0.75], [1, 2]),
      targets: ndarray([1, 2, 3, 0, 4, -1], [2, 3]),
      y: ndarray([2], [1, 1]),
    };
    const logits = [0.25, 3.5, 0];
    const total = logits.reduce((sum, v) => sum + Math.exp(v), 0);
    ask(vectors, 'probabilities', arrays, { outputs: 3 }).forEach((p, c) => {
      expect(p).toBeCloseTo(Math.exp(logits[c] as number) / total, 6);
    });
    expect(ask(vectors, 'label', arrays, { outputs: 3 })).toEqual([1]);
    expect(ask(vectors, 'loss', arrays, { outputs: 3 })[0]).toBeCloseTo(Math.log(total), 5);
  });

  it.each([
    ['rows', 0, 0.1],
    ['rows', 0.3, 0.1],
    ['gradients', 0.3, 0.3],
    ['gradients', 0, 0],
    ['given', 0.3, 0],
  ] as const)(
    'of %s with label smoothing %f take back %f of it, times the sharpness',
    (origin, labelSmoothing, spread) => {
      const head = classifierHeads.head({ ...options, labelSmoothing }, true);
      const arrays = {
        weights: ndarray([1], [1, 1]),
        targets: ndarray([0.4, 0.2, 0.1], [1, 3]),
        sharpness: ndarray([1.5], []),
      };
      const powers = [0.6, 0.3, 0.15].map(Math.exp);
      const total = powers.reduce((a, b) => a + b, 0);
      ask(head, 'probabilities', arrays, { outputs: 3, origin }).forEach((p, c) => {
        expect(p).toBeCloseTo(((powers[c] as number) / total - spread / 3) / (1 - spread), 6);
      });
    },
  );

  it('are the default with gaussian routing and up to 256 classes', () => {
    const carries = (given: object, outputs: number): boolean =>
      classifierHeads.carries({ ...options, ...given } as Resolved, outputs);
    expect(carries({}, 256)).toBe(true);
    expect(carries({}, 257)).toBe(false);
    expect(carries({ prototypeTargets: 'vectors' }, 257)).toBe(true);
    expect(carries({ prototypeTargets: 'owners' }, 2)).toBe(false);
    expect(carries({ softType: 'scaled' }, 2)).toBe(false);
    expect(carries({ negativeSampling: 5 }, 2)).toBe(false);
  });
});

describe.each([1, 4])('the share of rows, in %i heads', (heads) => {
  it('is stored as logits whose softmax is 0.9·share + 0.1/C', () => {
    const shares = Float64Array.from([0.5, 0.3, 0.2, 1, 0, 0]);
    const stored = vectors.code?.store(shares, 3, heads) as Float64Array;
    const powers = stored.map((t) => Math.exp(heads * t));
    powers.forEach((power, i) => {
      expect(power).toBeCloseTo(0.9 * (shares[i] as number) + 0.1 / 3, 10);
    });
    vectors.code?.recall(stored, 3, heads).forEach((share, i) => {
      expect(share).toBeCloseTo(shares[i] as number, 10);
    });
  });

  it('of labels, as logits of 0.9·share + 0.05', () => {
    const { code } = multiLabelHeads.head(options, true);
    const shares = Float64Array.from([0, 0.25, 1, 0.5]);
    const stored = code?.store(shares, 4, heads) as Float64Array;
    stored.forEach((t, i) => {
      expect(1 / (1 + Math.exp(-heads * t))).toBeCloseTo(0.9 * (shares[i] as number) + 0.05, 10);
    });
    code?.recall(stored, 4, heads).forEach((share, i) => {
      expect(share).toBeCloseTo(shares[i] as number, 10);
    });
  });
});
