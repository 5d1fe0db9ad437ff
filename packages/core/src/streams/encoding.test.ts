// What made X of a table's columns stays with the model: through every call that takes a source, and through files.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FastKMeansRegressor } from '../estimators/regressor.js';
import { backend, expectError, rows, small, withoutDigests } from '../estimators/testing.js';
import { type Encoding, encodedWidth } from '../state/encoding.js';
import type { Source } from '../state/source.js';
import { sourceOf } from './testing.js';

const { X, y } = rows(60, 3, 7);
const encoding: Encoding = {
  version: 1,
  features: [
    { column: 'age', kind: 'number' },
    { column: 'job', kind: 'oneHot', categories: ['clerk', 'cook'] },
  ],
};
const widthOf = ({ features }: Encoding): number =>
  features.reduce((sum, feature) => sum + encodedWidth(feature), 0);
/** As many columns as the encoding makes. */
const encoded = (as: Encoding | null = encoding): Source => {
  const rowsOfWidth = X.map((x) => x.slice(0, as ? widthOf(as) : undefined));
  return { ...sourceOf(rowsOfWidth, y, 20), ...(as ? { encoding: as } : {}) };
};
const swapped: Encoding = {
  ...encoding,
  features: [
    { column: 'age', kind: 'number' },
    { column: 'job', kind: 'oneHot', categories: ['cook', 'clerk'] },
  ],
};
const load = (bytes: Uint8Array): Promise<FastKMeansRegressor> =>
  FastKMeansRegressor.load(bytes, { backend });
const fitted = async (): Promise<FastKMeansRegressor> => {
  const model = small();
  await model.fit(encoded(), { maxIters: 1 });
  return model;
};

describe('the encoding of a source', () => {
  it('is kept by fit, fitStream and finetune, and by what is saved', async () => {
    const taught = [small(), small(), small()];
    expect(taught[0]?.encoding).toBeUndefined();
    await taught[0]?.fit(encoded(), { maxIters: 1 });
    await taught[1]?.fitStream(encoded());
    await taught[2]?.finetune(encoded(), { epochs: 1 });
    for (const model of taught) {
      expect(model.encoding).toEqual(encoding);
      for (const options of [{}, { optimiser: false }]) {
        const bytes = await model.save(options);
        const again = await load(bytes);
        expect(again.encoding).toEqual(encoding);
        expect(await again.save(options)).toEqual(bytes);
      }
    }
  });

  it('goes with arrays that replace what was learned, and stays with those that add to it', async () => {
    const model = await fitted();
    await model.fitBatch(X, y);
    expect(model.encoding).toEqual(encoding);
    await model.fit(X, y, { maxIters: 1 });
    expect(model.encoding).toBeUndefined();
  });

  it('is taken over from the first source that has one', async () => {
    const model = small();
    await model.fitBatch(X, y);
    await model.fitStream(encoded(null));
    expect(model.encoding).toBeUndefined();
    await model.fitStream(encoded());
    await model.fitStream(encoded(null));
    expect(model.encoding).toEqual(encoding);
  });

  it('has a place in the file of a run, which goes on with the same alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'fkm-encoding-'));
    try {
      const checkpoint = { path: join(folder, 'run.fkm'), everyBatches: 1 };
      await small().fitStream(encoded(), { checkpoint });
      const again = small();
      await again.fitStream(encoded(), { checkpoint, maxIters: 2 });
      expect(again.encoding).toEqual(encoding);
      await expectError(() => small().fitStream(encoded(swapped), { checkpoint, maxIters: 3 }), {
        kind: 'option',
        says: ["fitStream: source.encoding gives 'job' other categories"],
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it.each<[string, Encoding, string]>([
    ['other categories', swapped, "gives 'job' other categories than the model has"],
    [
      'another column',
      { version: 1, features: [{ column: 'size', kind: 'number' }, ...encoding.features.slice(1)] },
      "has 'size' where the model has 'age'",
    ],
    [
      'another kind',
      { version: 1, features: [{ ...swapped.features[1], column: 'age', kind: 'ordinal' } as never] },
      "makes 'age' ordinal where the model has it number",
    ],
    [
      'fewer columns',
      { version: 1, features: encoding.features.slice(0, 1) },
      'is of 1 columns, the model of 2',
    ],
  ])('refuses a source of %s, and stays as it was', async (_, other, says) => {
    const model = await load(await (await fitted()).save());
    const before = await model.save();
    const consumed = async (answers: AsyncIterable<unknown>): Promise<void> => {
      for await (const _answer of answers);
    };
    for (const call of [
      () => model.fitStream(encoded(other)),
      () => model.finetune(encoded(other)),
      () => consumed(model.predict(encoded(other))),
    ]) {
      await expectError(call, {
        kind: 'option',
        says: [`source.encoding ${says}`, 'open the source with { encoding: model.encoding }'],
      });
    }
    expect(await model.save()).toEqual(before);
    // A fit from the start learns the columns anew, as many as before.
    if (widthOf(other) !== widthOf(encoding)) return;
    await model.fit(encoded(other), { maxIters: 1 });
    expect(model.encoding).toEqual(other);
  });

  it('may have as many columns as a wide table', async () => {
    const columns = 3000;
    const wide: Encoding = {
      version: 1,
      features: Array.from({ length: columns }, (_, j) => ({ column: `c${j}`, kind: 'number' })),
    };
    const table = Array.from({ length: 8 }, (_, i) => Array.from({ length: columns }, (_, j) => i + (j % 7)));
    const model = small({ nPrototypes: 2 });
    await model.fitStream({ ...sourceOf(table, [0, 1, 2, 3, 4, 5, 6, 7], 8), encoding: wide });
    expect((await load(await model.save())).encoding).toEqual(wide);
  });
});

it.each([
  ['"version":1', '"version":2', 'the encoding is not valid'],
  ['"clerk",', '', 'the encoding gives 2 columns, the rows have 3'],
  ['"clerk","cook"', '"cook","cook"', 'the encoding is not valid'],
  ['"clerk"', '{}', 'the encoding is not valid'],
])('a file whose encoding has %s as %s is refused', async (was, is, says) => {
  const bytes = withoutDigests(await (await fitted()).save());
  const quoted = (text: string): string => text.replaceAll('"', '\\"');
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const json = new TextDecoder().decode(bytes.subarray(8, 8 + length));
  const changed = json.replace(quoted(was), quoted(is));
  expect(changed).not.toBe(json);
  const text = new TextEncoder().encode(changed.trimEnd().padEnd(length));
  const damaged = bytes.slice();
  damaged.set(text, 8);
  await expectError(() => load(damaged), { kind: 'format', says: [says] });
});
