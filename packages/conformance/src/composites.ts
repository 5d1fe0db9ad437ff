// Checks composites: a backend's kernel, or the inlined body, against the body in plain ops.

import {
  add,
  BATCH,
  composite,
  distanceNames,
  type Graph,
  gradients,
  inline,
  inlineComposites,
  matmul,
  mul,
  type NdArray,
  ndarray,
  nearest,
  pairwiseSimilarity,
  reduceMax,
  type Shape,
  simplify,
  sizeOf,
  sub,
  sum,
  sumsByIndex,
  type Tensor,
  takeAlong,
  topK,
  topKSimilar,
  trace,
} from '@fkm/core/graph';
import type { Check } from './contract.js';
import { everyPair } from './pairs.js';
import { type Domain, integers, seeded, uniform } from './random.js';
import { expectReference } from './run.js';

/** A graph with composites, and its inputs. */
export interface CompositeCase {
  readonly key: string;
  readonly graph: Graph;
  readonly inputs: readonly NdArray[];
  /** Inputs with a derivative; the first output is differentiated. */
  readonly wrt?: readonly string[];
  /** Whether the first output has a kink at the inputs. Default false. */
  readonly kinked?: boolean;
  readonly scale?: number;
  /** As of a check. */
  readonly thorough?: boolean;
}

/** d(Σ first output) by the named inputs. */
export function derivative(graph: Graph, wrt: readonly string[]): Graph {
  const specs = Object.fromEntries(graph.inputs.map((port) => [port.name, port.variable]));
  return simplify(
    trace(`${graph.name}.gradient`, specs, (inputs) => {
      const outputs = inline(graph, Object.values(inputs));
      const loss = sum(outputs[graph.outputs[0]?.name as string] as Tensor);
      const results = gradients(
        loss,
        wrt.map((name) => inputs[name] as Tensor),
      );
      return Object.fromEntries(wrt.map((name, i) => [`d.${name}`, results[i] as Tensor]));
    }),
  );
}

const f32 = (...shape: number[]): { shape: Shape; dtype: 'float32' } => ({ shape, dtype: 'float32' });
const draw = (seed: string, shape: Shape, values = uniform(-1, 1)): NdArray =>
  ndarray(values(sizeOf(shape), seeded(seed)), shape);

/**
 * Either tenths, or values about half way between them: |x − p| between the two stays away from its kink, and distances to
 * different numbers do not tie.
 */
const tenths =
  (between: boolean): Domain =>
  (size, random) => {
    const jitter = uniform(0.02, 0.08)(size, random);
    return integers(-10, 10)(size, random).map(
      (value, i) => value / 10 + (between ? (jitter[i] as number) : 0),
    );
  };

/** A composite that no backend knows, inside another one, with several outputs including an int32. */
const unknown = trace('unknown', { x: f32(BATCH, 3), w: f32(4, 3) }, ({ x, w }) => {
  const { best, indices } = composite('noBackendKnowsThis', { x, w }, (inner) => {
    const { scores } = composite('norThis', inner, ({ x: a, w: b }) => ({
      scores: sub(matmul(a, b, { transposeB: true }), mul(sum(mul(b, b), -1), 0.5)),
    }));
    const top = topK(scores as Tensor, 2);
    return { best: top.values, indices: top.indices };
  }) as { best: Tensor; indices: Tensor };
  return { best: add(best, reduceMax(best, -1, { keepDims: true })), indices };
});

/** One tensor in two places, and one operand computed from another: their derivatives are easily counted twice. */
const shared = trace('shared', { x: f32(BATCH, 3) }, ({ x }) => {
  const product = (a: Tensor, b: Tensor): Tensor =>
    composite('product', { a, b }, (t) => ({ y: mul(t.a, t.b) })).y as Tensor;
  return { y: add(product(x, x), product(x, mul(x, x))) };
});

const unknowns: readonly CompositeCase[] = [5, 0, 1].flatMap((rows) => [
  {
    key: `composite unknown, nested B=${rows}`,
    graph: unknown,
    inputs: [draw('unknown x', [rows, 3]), draw('unknown w', [4, 3])],
    wrt: ['x', 'w'],
    scale: 8,
  },
  {
    key: `composite with shared operands B=${rows}`,
    graph: shared,
    inputs: [draw('shared x', [rows, 3])],
    wrt: ['x'],
    scale: 8,
  },
]);

/** The optional operands of a search, and whether prototypes repeat. */
interface Variant {
  readonly title: string;
  readonly rows: number;
  readonly masked?: boolean;
  readonly weighted?: boolean;
  readonly repeated?: boolean;
}

const variants: readonly Variant[] = [
  { title: '' },
  { title: ' masked', masked: true },
  { title: ' weighted', weighted: true },
  { title: ' masked weighted', masked: true, weighted: true },
].flatMap(({ title, ...operands }) => [
  ...[5, 0, 1].map((rows) => ({ title, rows, ...operands })),
  { title: `${title} repeated`, rows: 5, ...operands, repeated: true },
]);

/** Prototypes that each repeat after 23 others: the most similar ones are three equals and the first of the next. */
const repeating = (prototypes: NdArray, columns: number): NdArray =>
  ndarray(
    Array.from(prototypes.data, (_, i) => prototypes.data[i % (23 * columns)] as number),
    prototypes.shape,
  );

const comparisons = distanceNames.flatMap((distance) =>
  variants.map((variant) => ({ distance, ...variant })),
);
const pairs = everyPair(comparisons, ({ distance, masked, weighted, rows, repeated }) => [
  distance,
  [masked, weighted],
  [rows, repeated],
]);

/** The searches over prototypes, for every distance, with and without mask and weights; ties go to the first. */
const searches: readonly CompositeCase[] = comparisons.flatMap((comparison): CompositeCase[] => {
  const { distance, title, rows, masked, weighted, repeated } = comparison;
  const [d, k] = [3, 70];
  const specs = {
    x: f32(BATCH, d),
    prototypes: f32(k, d),
    ...(masked ? { mask: f32(BATCH, d) } : {}),
    ...(weighted ? { weights: f32(1, d) } : {}),
  };
  const prototypes = draw('search prototypes', [k, d], tenths(true));
  const inputs = [
    draw('search x', [rows, d], tenths(false)),
    repeated ? repeating(prototypes, d) : prototypes,
    ...(masked ? [draw('search mask', [rows, d], uniform(0.2, 1))] : []),
    ...(weighted ? [draw('search weights', [1, d], uniform(0.2, 1))] : []),
  ];
  type Ports = { x: Tensor; prototypes: Tensor; mask?: Tensor; weights?: Tensor };
  const search = (name: string, build: (t: Ports) => Record<string, Tensor>, wrt?: readonly string[]) => ({
    // The slightest change of one of equals takes it in or out.
    kinked: name === 'topKSimilar' && repeated === true,
    key: `${name} ${distance}${title} B=${rows}`,
    graph: trace(name, specs, (t) => build(t as Ports)),
    inputs,
    ...(wrt ? { wrt } : {}),
    scale: 16,
    thorough: !pairs.has(comparison),
  });
  return [
    search('pairwiseSimilarity', (t) => ({ out: pairwiseSimilarity({ distance, ...t }) }), [
      'x',
      'prototypes',
    ]),
    search('nearest', (t) => ({ ...nearest({ distance, ...t }) })),
    search('topKSimilar', (t) => ({ ...topKSimilar({ distance, ...t }, 4) }), ['prototypes']),
  ];
});

/** Sums of rows and weights by chosen prototype; some prototypes have no rows. */
const sums: readonly CompositeCase[] = [0, 1, 5, 300].flatMap((rows) => {
  const at = ndarray(
    Array.from({ length: rows }, (_, i) => (i * i) % 11),
    [rows],
    'int32',
  );
  const weights = draw('sums weight', [rows], uniform(0, 2));
  const specs = { index: { shape: [BATCH], dtype: 'int32' }, weight: f32(BATCH), x: f32(BATCH, 5) } as const;
  return {
    key: `sumsByIndex B=${rows}`,
    graph: trace('sums', specs, ({ index, weight, x }) => ({
      sums: sumsByIndex({ index, weight, values: x }, 12),
      weights: sumsByIndex({ index, weight }, 12),
    })),
    inputs: [at, weights, draw('sums x', [rows, 5])],
    // About thirty rows for each prototype.
    scale: 16,
  };
});

/** One number from each row. */
const taken: readonly CompositeCase[] = [0, 1, 5, 300].map((rows) => ({
  key: `takeAlong B=${rows}`,
  graph: trace('taken', { x: f32(BATCH, 7), index: { shape: [BATCH], dtype: 'int32' } }, ({ x, index }) => ({
    taken: takeAlong(x, index),
  })),
  inputs: [
    draw('taken x', [rows, 7]),
    ndarray(
      Array.from({ length: rows }, (_, i) => (i * i) % 7),
      [rows],
      'int32',
    ),
  ],
  wrt: ['x'],
}));

/** A k-means pass: every row to its nearest prototype, with mask and weights, and the sums. */
const passes: readonly CompositeCase[] = distanceNames.map((distance) => ({
  key: `nearest, then sumsByIndex ${distance} masked`,
  graph: trace(
    'pass',
    { x: f32(BATCH, 3), prototypes: f32(7, 3), mask: f32(BATCH, 3), weights: f32(1, 3), weight: f32(BATCH) },
    ({ x, prototypes, mask, weights, weight }) => {
      const { index } = nearest({ distance, x, prototypes, mask, weights });
      return {
        sums: sumsByIndex({ index, weight, values: mul(x, mask) }, 7),
        coordinateWeights: sumsByIndex({ index, weight, values: mask }, 7),
      };
    },
  ),
  inputs: [
    draw('pass x', [50, 3], tenths(false)),
    draw('pass prototypes', [7, 3], tenths(true)),
    draw('pass mask', [50, 3], uniform(0.2, 1)),
    draw('pass weights', [1, 3], uniform(0.2, 1)),
    draw('pass weight', [50], uniform(0, 2)),
  ],
  scale: 16,
}));

/** Every composite case. */
export const compositeCases = (): readonly CompositeCase[] => [
  ...unknowns,
  ...searches,
  ...sums,
  ...taken,
  ...passes,
];

/** Values of composites and of their inlined bodies, and their derivatives. */
export const compositeChecks = (): Check[] =>
  compositeCases().flatMap(({ key, graph, inputs, wrt = [], scale = 1, thorough = false }) => [
    {
      key,
      thorough,
      run: (backend, precision) => expectReference(backend, graph, inputs, { precision, scale }),
    },
    {
      key: `${key}, written out`,
      thorough,
      run: (backend, precision) =>
        expectReference(backend, inlineComposites(graph), inputs, { precision, scale }),
    },
    ...(wrt.length === 0
      ? []
      : [
          {
            key: `gradient of ${key}`,
            thorough,
            run: (backend, precision) =>
              expectReference(backend, derivative(graph, wrt), inputs, { precision, scale: 10 * scale }),
          } satisfies Check,
        ]),
  ]);
