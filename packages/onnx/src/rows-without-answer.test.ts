// An exported file throws nothing: a row with NaN or an infinite value has no answer, and the rows beside it have theirs.

import type { Scaling } from '@fkm/core';
import { FastKMeansClassifier } from '@fkm/core';
import { distanceNames } from '@fkm/core/graph';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import { type Answer, backend, learned, opened, rows, trainingRows } from './testing.js';

const X = rows(5, 4, 9);
const at = 2;
const bad = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
const scalings: readonly Scaling[] = ['none', 'standard', 'quantile', 'dual'];
const ones = X.map((row) => row.map(() => 1));

/** An answer's numbers a row. */
const rowsOf = ({ data, dims }: Answer): (readonly (number | string)[])[] => {
  const width = data.length / (dims[0] as number);
  return Array.from({ length: dims[0] as number }, (_, i) => data.slice(i * width, (i + 1) * width));
};

const others = <T>(all: readonly T[]): T[] => all.filter((_, i) => i !== at);

const nothing = { label: [-1, ''], others: [Number.NaN] } as const;

describe.each(Object.entries(learned))('%s', (_task, make) => {
  it.each(scalings)('scaled by %s leaves a bad row, and it alone, without an answer', async (scaling) => {
    for (const distance of distanceNames) {
      const model = await make({ scaling, distance });
      for (const featureMask of [false, true]) {
        const { run } = await opened(exportOnnx(model, { featureMask }));
        const mask = featureMask ? ones : undefined;
        const whole = await run(X, mask);
        for (const value of bad) {
          for (const column of [0, 3]) {
            const holed = X.map((row, i) => row.map((v, j) => (i === at && j === column ? value : v)));
            for (const [name, answer] of Object.entries(await run(holed, mask))) {
              const [found, before] = [rowsOf(answer), rowsOf(whole[name] as Answer)];
              const none: readonly (number | string)[] = name === 'label' ? nothing.label : nothing.others;
              for (const entry of found[at] as readonly (number | string)[])
                expect(
                  none.some((one) => Object.is(one, entry)),
                  String(entry),
                ).toBe(true);
              expect(others(found)).toEqual(others(before));
            }
          }
        }
        if (!featureMask) continue;
        // A missing value may be anything.
        const holes = ones.map((row, i) => row.map((_v, j) => (i === at && j === 3 ? 0 : 1)));
        const zeros = X.map((row, i) => row.map((v, j) => (holes[i]?.[j] === 0 ? 0 : v)));
        const expected = await run(zeros, holes);
        for (const value of bad) {
          const holed = zeros.map((row, i) => row.map((v, j) => (holes[i]?.[j] === 0 ? value : v)));
          expect(await run(holed, holes)).toEqual(expected);
        }
      }
    }
  });
});

it('a row whose numbers overflow has no answer either', async () => {
  for (const make of Object.values(learned)) {
    const { run } = await opened(exportOnnx(await make({ scaling: 'none' })));
    const whole = await run(X);
    const far = X.map((row, i) => (i === at ? [3e38, -3e38, 3e38, 1] : row));
    for (const [name, answer] of Object.entries(await run(far))) {
      const [found, before] = [rowsOf(answer), rowsOf(whole[name] as Answer)];
      const none: readonly (number | string)[] = name === 'label' ? nothing.label : nothing.others;
      for (const entry of found[at] as readonly (number | string)[])
        expect(
          none.some((one) => Object.is(one, entry)),
          String(entry),
        ).toBe(true);
      expect(others(found)).toEqual(others(before));
    }
  }
});

it('no class stands for none', async () => {
  const cases: readonly (readonly [readonly (string | number)[], string | number])[] = [
    [['a', 'b'], ''],
    [['', 'b'], '?'],
    [['', '?'], '??'],
    [[3, 7], -1],
    [[-1, 1], -2],
    [[-1, -2], -3],
    [[0.5, 2], Number.NaN],
  ];
  const train = trainingRows as number[][];
  for (const [classes, none] of cases) {
    const model = new FastKMeansClassifier({ backend, nPrototypes: 4 });
    const y = train.map(([a]) => classes[Number((a as number) > 0)] as string);
    await model.fitBatch(train, y);
    const { run } = await opened(exportOnnx(model));
    const { label } = await run([[Number.NaN, 0, 0, 0], ...train]);
    expect(label?.data[0]).toBe(none);
    const { data } = await model.predict(train);
    expect(label?.data.slice(1)).toEqual([...data]);
  }
});
