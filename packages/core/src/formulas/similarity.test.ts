import { describe, expect, it } from 'vitest';
import { type NdArray, ndarray } from '../dtype.js';
import { evaluateGraph } from '../graph/evaluate.js';
import { gradients } from '../graph/gradients.js';
import { add, mul, sum } from '../graph/ops.js';
import { type Tensor, trace } from '../graph/trace.js';
import { Random } from '../random.js';
import type { Distance } from './distances.js';
import { compare } from './similarity.js';

const [rows, columns, perHead] = [5, 3, 4];

describe('affine', () => {
  it.each([1, 2])('is slope · δ + offset, and so are its derivatives, with %i heads', (heads) => {
    const random = new Random(7);
    const drawn = (...shape: number[]): NdArray =>
      ndarray(
        Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.uniform()),
        shape,
      );
    const inputs = {
      x: drawn(rows, columns),
      prototypes: drawn(heads * perHead, columns),
      weights: drawn(heads, columns),
      slope: heads === 1 ? drawn(perHead) : drawn(heads, perHead),
      offset: heads === 1 ? drawn(perHead) : drawn(heads, perHead),
    };
    const specs = Object.fromEntries(
      Object.entries(inputs).map(([name, { shape, dtype }]) => [name, { shape, dtype }]),
    ) as Record<keyof typeof inputs, { shape: readonly number[]; dtype: 'float32' }>;
    const graph = trace('affine', specs, ({ x, prototypes, weights, slope, offset }) => {
      const { affine, factors } = compare({ distance: 'euclidean', x, prototypes, weights });
      const short = affine?.(slope, offset) as Tensor;
      const long = add(mul(factors.delta, slope), offset);
      const wrt = [prototypes, weights, slope, offset];
      const derivatives = (y: Tensor): Tensor[] => gradients(sum(mul(y, y)), wrt);
      const named = (prefix: string, y: Tensor): [string, Tensor][] =>
        [y, ...derivatives(y)].map((value, i) => [`${prefix}${i}`, value]);
      return Object.fromEntries([...named('short', short), ...named('long', long)]);
    });
    const results = evaluateGraph(graph, Object.values(inputs), 'float64');
    const half = results.length / 2;
    for (let i = 0; i < half; i++) {
      const [short, long] = [results[i] as NdArray, results[half + i] as NdArray];
      expect(short.shape).toEqual(long.shape);
      short.data.forEach((value, j) => {
        expect(value).toBeCloseTo(long.data[j] as number, 9);
      });
    }
  });

  it.each<[string, Distance, boolean]>([
    ['cosine', 'cosine', false],
    ['l1', 'l1', false],
    ['masked', 'euclidean', true],
  ])('is absent where δ is no product of rows and prototypes alone: %s', (_, distance, masked) => {
    const spec = { shape: [rows, columns], dtype: 'float32' } as const;
    trace('absent', { x: spec, mask: spec, prototypes: spec }, ({ x, mask, prototypes }) => {
      const compared = compare({ distance, x, prototypes, ...(masked ? { mask } : {}) });
      expect(compared.affine).toBeUndefined();
      return { similarity: compared.similarity };
    });
  });
});
