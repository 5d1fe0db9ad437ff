// The baseline: k nearest neighbours over all training rows, as one graph on the same backend as the model.

import type { Backend } from '@fkm/core';
import { BATCH, div, gather, ndarray, sum, topKSimilar, trace } from '@fkm/core/graph';
import type { Table } from './diamonds.ts';

/** Rows of a block: its similarities to 43,152 training rows are 44 MB. */
const blockRows = 256;

/** Answers the mean target of the k training rows nearest to a row, all features standardised. */
export class NearestNeighbours {
  private constructor(
    private readonly answer: (rows: Float32Array) => Promise<Float32Array>,
    private readonly scaler: Scaler,
  ) {}

  static async fit(backend: Backend, { X, y }: Table, k = 5): Promise<NearestNeighbours> {
    const [rows, columns] = X.shape;
    const scaler = Scaler.fit(X);
    const graph = trace(
      'neighbours',
      {
        x: { shape: [BATCH, columns], dtype: 'float32' },
        known: { shape: [rows, columns], dtype: 'float32' },
        y: { shape: [rows], dtype: 'float32' },
      },
      ({ x, known, y }) => {
        const { index } = topKSimilar({ distance: 'euclidean', x, prototypes: known }, k);
        return { answer: div(sum(gather(y, index), -1), k) };
      },
    );
    const executable = await backend.compile(graph);
    const known = backend.upload(ndarray(scaler.transform(X.data), [rows, columns]));
    const targets = backend.upload(ndarray(y, [rows]));
    const answer = async (block: Float32Array): Promise<Float32Array> => {
      const x = backend.upload(ndarray(block, [block.length / columns, columns]));
      const [result] = await executable.run([x, known, targets]);
      const answers = await result?.read();
      x.dispose();
      result?.dispose();
      return answers as Float32Array;
    };
    return new NearestNeighbours(answer, scaler);
  }

  /** Predictions [N]. Errors: the signal's reason once it is aborted. */
  async predict(X: Table['X'], signal?: AbortSignal): Promise<Float32Array> {
    const [rows, columns] = X.shape;
    const scaled = this.scaler.transform(X.data);
    const out = new Float32Array(rows);
    for (let begin = 0; begin < rows; begin += blockRows) {
      // The runtime computes on this thread, so Ctrl-C needs a pause to be noticed.
      await new Promise((resolve) => setImmediate(resolve));
      signal?.throwIfAborted();
      const end = Math.min(rows, begin + blockRows);
      out.set(await this.answer(scaled.subarray(begin * columns, end * columns)), begin);
    }
    return out;
  }
}

/** Standardises columns: (x − mean) / deviation, both of the training rows. */
class Scaler {
  private constructor(
    private readonly mean: Float64Array,
    private readonly deviation: Float64Array,
  ) {}

  static fit({ data, shape }: Table['X']): Scaler {
    const [rows, columns] = shape;
    const [mean, deviation] = [new Float64Array(columns), new Float64Array(columns)];
    data.forEach((value, i) => {
      mean[i % columns] = (mean[i % columns] as number) + value / rows;
    });
    data.forEach((value, i) => {
      const gap = value - (mean[i % columns] as number);
      deviation[i % columns] = (deviation[i % columns] as number) + gap ** 2 / rows;
    });
    // A constant column has no deviation: it stays 0.
    return new Scaler(
      mean,
      deviation.map((variance) => Math.sqrt(variance) || 1),
    );
  }

  transform(data: Float32Array): Float32Array {
    const columns = this.mean.length;
    return data.map(
      (value, i) => (value - (this.mean[i % columns] as number)) / (this.deviation[i % columns] as number),
    );
  }
}
