// What calls answer, as people print it and send it: plain arrays, JSON, one line of a model, labels with their types.

import { inspect } from 'node:util';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { toFloat16 } from '../dtype.js';
import { ResultArray, ResultLabels } from '../result.js';
import { FastKMeansClassifier } from './classifier.js';
import { FastKMeansClusterer } from './clusterer.js';
import { FastMultiLabelKMeansClassifier } from './multi-label.js';
import { FastKMeansRegressor } from './regressor.js';
import { backend, estimators, rows, smallOf, tasks } from './testing.js';

const { X } = rows(60);

/** Numbers of any answer as nested arrays of its shape. */
const nestedOf = ({ data, shape }: { data: ArrayLike<unknown>; shape: readonly number[] }): unknown => {
  const [n = 0, width] = shape;
  if (width === undefined) return Array.from(data);
  return Array.from({ length: n }, (_, i) => Array.from(data).slice(i * width, (i + 1) * width));
};

describe.each(tasks)('answers of a %s', (task) => {
  it.each(['predict', 'predictProba', 'transform'] as const)(
    '%s turns into arrays and JSON',
    async (call) => {
      const model = smallOf(task);
      await model.fit(X, estimators[task].targets(X), { maxIters: 1 });
      if (!(call in model)) return expect(estimators[task].family.numeric).toBe(true);
      const answer = await (model as unknown as FastKMeansClassifier)[call](X.slice(0, 3));
      expect(answer.shape[0]).toBe(3);
      expect(answer.toArray()).toEqual(nestedOf(answer));
      expect(JSON.parse(JSON.stringify({ answer }))).toEqual({ answer: nestedOf(answer) });
    },
  );

  it('its grid, its gradients and what else is an array turn into JSON', async () => {
    const model = smallOf(task);
    const y = estimators[task].targets(X);
    await model.fit(X, y, { maxIters: 1 });
    const { gradients } = await model.lossAndGradients(X, y);
    for (const arrays of [model.grid, gradients]) {
      const plain = JSON.parse(JSON.stringify(arrays));
      expect(Object.keys(plain)).toContain('prototypes');
      for (const name of Object.keys(plain)) expect(plain[name], name).toBeInstanceOf(Array);
      expect(plain.prototypes).toEqual(nestedOf((arrays as typeof gradients).prototypes as ResultArray));
    }
  });

  it('a model prints as one line', async () => {
    const model = smallOf(task);
    const name = model.constructor.name;
    expect(inspect(model)).toBe(`${name}(not fitted)`);
    await model.fit(X, estimators[task].targets(X), { maxIters: 1 });
    const [line, inner] = [inspect(model), inspect({ model }, { breakLength: 200 })];
    expect(line).toMatch(new RegExp(`^${name}\\(\\d+ prototypes, 3 columns(, \\d+ classes)?, fitted\\)$`));
    expect(inner).toBe(`{ model: ${line} }`);
    expect(`${model}`).toBe(line);
  });
});

it('labels and thresholds are typed arrays that JSON writes as arrays', async () => {
  const model = new FastKMeansClusterer({ backend, kInit: 2 });
  await model.fit([[0], [0], [9]]);
  expect(model.labels).toBeInstanceOf(Int32Array);
  expect(JSON.stringify(model.labels)).toBe(JSON.stringify(Array.from(model.labels)));
  expect(Object.keys(model.labels)).toEqual(['0', '1', '2']);
});

it('arrays of any rank and dtype are nested as their shape says', () => {
  const of = (data: Uint16Array | Float32Array, shape: number[], dtype: 'float16' | 'float32'): unknown =>
    new ResultArray({ data, shape, dtype }).toArray();
  expect(of(Uint16Array.of(toFloat16(1.5), toFloat16(-2)), [2], 'float16')).toEqual([1.5, -2]);
  expect(of(Float32Array.of(7), [], 'float32')).toBe(7);
  expect(of(new Float32Array(0), [0, 3], 'float32')).toEqual([]);
  expect(of(Float32Array.of(1, 2, 3, 4), [2, 1, 2], 'float32')).toEqual([[[1, 2]], [[3, 4]]]);
});

it('labels of numbers and of texts are the same in JSON', () => {
  expect(JSON.stringify(new ResultLabels(Int32Array.of(3, 1)))).toBe('[3,1]');
  expect(JSON.stringify(new ResultLabels(['b', 'a']))).toBe('["b","a"]');
});

describe('types', () => {
  it('a classifier of named labels takes and answers these alone', async () => {
    const model = new FastKMeansClassifier<'cat' | 'dog'>({
      backend,
      nPrototypes: 2,
      heads: 1,
      metric: 'none',
    });
    await model.fit([[0], [0], [9], [9]], ['cat', 'cat', 'dog', 'dog']);
    const answer = await model.predict([[9]]);
    expectTypeOf(answer.data).toEqualTypeOf<readonly ('cat' | 'dog')[]>();
    expectTypeOf(answer.toArray()).toEqualTypeOf<('cat' | 'dog')[]>();
    expectTypeOf(model.classes).toEqualTypeOf<readonly ('cat' | 'dog')[]>();
    expect(answer.toArray()).toEqual(['dog']);
    // @ts-expect-error: no such label
    await expect(model.score([[0]], ['cow'])).rejects.toThrow("y is 'cow' in row 0");
    const any: FastKMeansClassifier = new FastKMeansClassifier({ backend });
    expectTypeOf(any.fit).toBeCallableWith([[1]], [1]);
    expectTypeOf(any.fit).toBeCallableWith([[1]], Int32Array.of(1));
    expectTypeOf(any.fit).toBeCallableWith([[1]], ['a']);
    const sets = new FastMultiLabelKMeansClassifier<'red' | 'round'>({ backend });
    expectTypeOf(sets.fit).toBeCallableWith([[1]], [['red', 'round']]);
    expectTypeOf<typeof sets.classes>().toEqualTypeOf<readonly ('red' | 'round')[]>();
  });

  it('numbers nested as the call says', () => {
    expectTypeOf<Awaited<ReturnType<FastKMeansClassifier['transform']>>['toArray']>().returns.toEqualTypeOf<
      number[][]
    >();
  });

  it('a wrong matrix and a missing y are what an error speaks of, not a source', async () => {
    const model = new FastKMeansRegressor({ backend });
    // @ts-expect-error: Type 'number' is not assignable to type 'Vector'.
    await expect(model.fit([1, 2, 3], [1, 2, 3])).rejects.toThrow('got an array with 1 at 0');
    // @ts-expect-error: Expected 2-3 arguments, but got 1.
    await expect(model.fit([[1]])).rejects.toThrow('fit: y should be an array of numbers, got undefined');
    // @ts-expect-error: Expected 2-3 arguments, but got 1.
    await expect(model.finetune([[1]])).rejects.toThrow('finetune: y should be');
    await model.fit([[1], [2]], [1, 2]);
    // @ts-expect-error: Expected 2-3 arguments, but got 1.
    await expect(model.score([[1]])).rejects.toThrow('score: y should be');
  });
});
