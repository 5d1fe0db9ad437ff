import { jsBackend } from '@fkm/core';
import { describe, expect, it } from 'vitest';
import type { Table } from './diamonds.ts';
import { NearestNeighbours } from './neighbours.ts';

/** Rows around 300 with columns of very different spread, and one constant column. */
function rows(count: number, phase: number): Table {
  const data = new Float32Array(count * 3);
  for (let i = 0; i < count; i++)
    data.set([300 + 50 * Math.sin(i + phase), Math.cos(7 * i + phase), 4], i * 3);
  return { X: { data, shape: [count, 3] }, y: Float32Array.from({ length: count }, (_, i) => i ** 1.5) };
}

/** By sorting all distances. */
function plain(train: Table, test: Table, k: number): number[] {
  const n = train.y.length;
  const columns = ({ X, y }: Table): number[][] =>
    [0, 1].map((j) => Array.from(y, (_, i) => X.data[i * 3 + j]!));
  const [known, asked] = [columns(train), columns(test)];
  const scales = known.map((values) => {
    const mean = values.reduce((a, b) => a + b) / n;
    return Math.sqrt(values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n);
  });
  return Array.from(test.y, (_, i) => {
    const distances = Array.from(train.y, (_, row) =>
      scales.reduce((sum, scale, j) => sum + ((known[j]![row]! - asked[j]![i]!) / scale) ** 2, 0),
    );
    const order = Array.from(train.y.keys()).sort((a, b) => distances[a]! - distances[b]!);
    return order.slice(0, k).reduce((sum, row) => sum + train.y[row]!, 0) / k;
  });
}

describe('NearestNeighbours', () => {
  it('answers as sorting all standardised distances does, over more than one block', async () => {
    const [train, test] = [rows(40, 0), rows(300, 0.1)];
    const model = await NearestNeighbours.fit(jsBackend(), train, 5);
    const answers = await model.predict(test.X);
    plain(train, test, 5).forEach((expected, i) => {
      expect(answers[i]).toBeCloseTo(expected, 3);
    });
  });

  it('stops when asked to', async () => {
    const train = rows(10, 0);
    const model = await NearestNeighbours.fit(jsBackend(), train, 5);
    await expect(model.predict(train.X, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});
