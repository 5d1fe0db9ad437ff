import { describe, expect, it } from 'vitest';
import { features, loadDiamonds, parseDiamonds, split } from './diamonds.ts';

const header = 'carat,cut,color,clarity,depth,table,price,x,y,z';

describe('parseDiamonds', () => {
  it('encodes grades by their order, from worst to best', () => {
    const { X, y } = parseDiamonds(`${header}\n1,Fair,J,I1,60,55,300,4,5,6\n2,Ideal,D,IF,61,56,400,7,8,9\n`);
    expect(X.shape).toEqual([2, features.length]);
    expect(Array.from(X.data)).toEqual([1, 0, 0, 0, 60, 55, 4, 5, 6, 2, 4, 6, 7, 61, 56, 7, 8, 9]);
    expect(Array.from(y)).toEqual([300, 400]);
  });

  it.each([
    ['1,Fair,J,I1,60,,300,4,5,6', "line 2: table is ''"],
    ['1,Fair,Z,I1,60,55,300,4,5,6', "line 2: color is 'Z'"],
    ['1,Fair,J,I1,60,55,dear,4,5,6', "line 2: price is 'dear'"],
  ])('refuses %s', (line, message) => {
    expect(() => parseDiamonds(`${header}\n${line}`)).toThrow(message);
  });

  it('finds all rows in the package', () => {
    const { X, y } = loadDiamonds();
    expect(X.shape).toEqual([53940, 9]);
    expect([y[0], y[53939]]).toEqual([326, 2757]);
  });
});

describe('split', () => {
  const table = {
    X: { data: Float32Array.from({ length: 200 }, (_, i) => Math.floor(i / 2)), shape: [100, 2] as const },
    y: Float32Array.from({ length: 100 }, (_, i) => i),
  };

  it('puts every row on one side, together with its target', () => {
    const { train, test } = split(table, { testShare: 0.2, seed: 1 });
    expect([train.X.shape, test.X.shape]).toEqual([
      [80, 2],
      [20, 2],
    ]);
    expect([...train.y, ...test.y].sort((a, b) => a - b)).toEqual([...table.y]);
    for (const { X, y } of [train, test]) expect([...y].flatMap((v) => [v, v])).toEqual([...X.data]);
  });

  it('depends on the seed alone', () => {
    const first = split(table, { testShare: 0.2, seed: 1 });
    expect(split(table, { testShare: 0.2, seed: 1 })).toEqual(first);
    expect(split(table, { testShare: 0.2, seed: 2 }).test.y).not.toEqual(first.test.y);
  });

  it('draws fewer rows where asked to', () => {
    const { train, test } = split(table, { testShare: 0.2, seed: 1, rows: 10 });
    expect([train.y.length, test.y.length]).toEqual([8, 2]);
  });
});
