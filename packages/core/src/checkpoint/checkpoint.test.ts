// Checkpoints: training goes on from them to the bit, and damaged bytes give a FormatError or a model, never anything else.

import { describe, expect, it } from 'vitest';
import { isFkmError } from '../errors.js';
import { FastKMeansRegressor } from '../estimators/regressor.js';
import { backend, expectError, given, rows, small, withoutDigests } from '../estimators/testing.js';
import { Random } from '../random.js';

const { X, y } = rows(30);
const load = (bytes: Uint8Array): Promise<FastKMeansRegressor> =>
  FastKMeansRegressor.load(bytes, { backend });

/** One with every array that there is: moments, coordinate ages, variances, scaler. */
async function full(): Promise<FastKMeansRegressor> {
  const model = small({ nPrototypes: 3, autoFeatureWeights: true });
  await model.fitBatch(X, y, { featureMask: [1, 1, 1] });
  await model.fitBatch(X, y, { gradientStep: true });
  return model;
}

const header = (bytes: Uint8Array): { length: number; json: string } => {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  return { length, json: new TextDecoder().decode(bytes.subarray(8, 8 + length)) };
};

/** The bytes with another header. */
function rewritten(bytes: Uint8Array, change: (json: string) => string): Uint8Array {
  const { length, json } = header(bytes);
  const text = new TextEncoder().encode(change(json));
  const out = new Uint8Array(8 + text.length + bytes.length - 8 - length);
  new DataView(out.buffer).setBigUint64(0, BigInt(text.length), true);
  out.set(text, 8);
  out.set(bytes.subarray(8 + length), 8 + text.length);
  return out;
}

describe('save and load', () => {
  it('give equal bytes again, of a model new, given, fitted and trained', async () => {
    const fitted = small();
    await fitted.fit(X, y, { maxIters: 1 });
    for (const model of [
      small(),
      small({ kTargets: 3, kFeatures: 2, nPrototypes: 6 }),
      given(),
      fitted,
      await full(),
    ]) {
      const bytes = await model.save();
      expect(await model.save()).toEqual(bytes);
      expect(await (await load(bytes)).save()).toEqual(bytes);
    }
  });

  it('take files that are older than the unit of weights: a row had weight 1 in them', async () => {
    const model = small({ nPrototypes: 3 });
    await model.fitBatch(X, y);
    const bytes = withoutDigests(await model.save());
    const older = rewritten(bytes, (json) => json.replace(/\\"unit\\":1,|,\\"unit\\":1/, ''));
    expect(older.length).toBeLessThan(bytes.length);
    const again = await load(older);
    for (const each of [model, again]) await each.fitBatch(X, y, { sampleWeight: X.map((_, i) => i % 3) });
    expect(await again.save()).toEqual(await model.save());
  });

  it('take the Buffer of a file, wherever it lies in memory', async () => {
    const model = await full();
    const bytes = await model.save();
    const pool = Buffer.alloc(bytes.length + 100);
    pool.set(bytes, 3);
    const again = await load(pool.subarray(3, 3 + bytes.length));
    pool.fill(255);
    expect(await again.save()).toEqual(bytes);
  });

  it('without the optimiser is shorter, predicts the same and finetunes to the same', async () => {
    const model = await full();
    const bytes = await model.save({ optimiser: false });
    expect(bytes.length).toBeLessThan((await model.save()).length);
    const again = await load(bytes);
    expect(await again.predict(X)).toEqual(await model.predict(X));
    await model.finetune(X, y, { epochs: 1 });
    await again.finetune(X, y, { epochs: 1 });
    expect(await again.save()).toEqual(await model.save());
    await expectError(() => model.save({ optimizer: false } as never), {
      kind: 'option',
      says: ['optimizer'],
    });
  });

  it('is a safetensors file', async () => {
    const bytes = await (await full()).save();
    const { json, length } = header(bytes);
    expect((8 + length) % 8).toBe(0);
    const entries = JSON.parse(json) as Record<
      string,
      { dtype: string; shape: number[]; data_offsets: number[] }
    >;
    expect(entries.prototypes).toMatchObject({ dtype: 'F32', shape: [3, 6] });
    expect(entries['state.ages']).toMatchObject({ dtype: 'F64', shape: [3] });
    const ends = Object.entries(entries).filter(([name]) => name !== '__metadata__');
    expect(Math.max(...ends.map(([, entry]) => entry.data_offsets[1] as number))).toBe(
      bytes.length - 8 - length,
    );
    const widths: Readonly<Record<string, number>> = { F64: 8, F32: 4, I32: 4, BOOL: 1 };
    for (const [name, { dtype, data_offsets: place }] of ends) {
      expect((place[0] as number) % (widths[dtype] as number), `${name} can be viewed in place`).toBe(0);
    }
  });
});

describe('load refuses', () => {
  it.each([
    ['nothing', undefined],
    ['a text', 'bytes'],
    ['no bytes', new Uint8Array(0)],
    ['seven bytes', new Uint8Array(7)],
    ['zeros', new Uint8Array(64)],
    ['a header longer than the file', new Uint8Array(64).fill(255)],
  ])('%s', async (_what, bytes) => {
    await expectError(() => load(bytes as Uint8Array), { kind: 'format', says: ['load:'] });
  });

  it('a missing backend, and options that the file says', async () => {
    const bytes = await small().save();
    const calls: [unknown, string][] = [
      [undefined, 'options should be an object'],
      [{}, 'backend is missing'],
      [{ backend: 'cpu' }, "backend is 'cpu'"],
      [{ backend, heads: 2 }, 'there is no option heads'],
    ];
    for (const [options, says] of calls) {
      await expectError(() => FastKMeansRegressor.load(bytes, options as never), {
        kind: 'option',
        says: ['load:', says],
      });
    }
  });

  it.each([
    ['a newer major version', '"version":"1.', '"version":"2.', 'has version 2.0, this package reads 1.x'],
    ['an older major version', '"version":"1.', '"version":"0.', 'has version 0.0'],
    ['no version', '"version"', '"versions"', 'has version undefined'],
    ['another format', '"format":"fkm"', '"format":"pt"', 'not written by fkm'],
    ['another estimator', '"kind":"regressor"', '"kind":"clusterer"', 'holds a clusterer, not a regressor'],
    ['another type', '"prototypes":{"dtype":"F32"', '"prototypes":{"dtype":"I32"', 'prototypes is int32'],
    ['an unknown type', '"dtype":"F32"', '"dtype":"F33"', 'has the type F33'],
    ['another shape', '"shape":[3,6]', '"shape":[6,3]', ''],
    ['an unknown array', '"frozen"', '"frozeN"', 'no array frozeN'],
    ['a tensor outside', '"data_offsets":[0,', '"data_offsets":[-8,', 'lies outside'],
    ['an entry that is null', '"frozen":{', '"frozen":null,"x":{', ''],
    ['metadata that is null', '"__metadata__":{', '"__metadata__":null,"x":{', 'not written by fkm'],
    ['options that are null', '"options":"{', '"options":"null","x":"{', 'options'],
    ['an unknown option', '\\"heads\\"', '\\"headz\\"', 'no option headz'],
    ['an impossible option', '\\"heads\\":1', '\\"heads\\":0', 'heads is 0'],
    ['a generator of three words', '\\"random\\":[', '\\"random\\":[[],', 'random generator'],
    ['a counter that is none', '\\"step\\":1', '\\"step\\":-1', 'counter'],
  ])('%s', async (_what, from, to, says) => {
    const bytes = withoutDigests(await (await full()).save());
    expect(header(bytes).json).toContain(from);
    await expectError(() => load(rewritten(bytes, (json) => json.replace(from, to))), {
      kind: 'format',
      says: ['load:', says],
    });
  });

  it('a column that the rows do not have', async () => {
    const bytes = withoutDigests(await (await full()).save());
    const { json, length } = header(bytes);
    const at = (JSON.parse(json) as Record<string, { data_offsets: number[] }>)['scaler.columns'];
    new DataView(bytes.buffer).setInt32(8 + length + (at?.data_offsets[0] as number), 99, true);
    await expectError(() => load(bytes), { kind: 'format', says: ['load: scaler.columns'] });
  });

  it('a header that is no object', async () => {
    const bytes = await small().save();
    for (const json of ['null', '[]', '5', '"a"', '', '{']) {
      await expectError(() => load(rewritten(bytes, () => json)), {
        kind: 'format',
        says: ['load:', 'header'],
      });
    }
  });

  it('a file cut off at any byte, or with a byte more', async () => {
    const bytes = await (await full()).save();
    for (let length = 0; length < bytes.length; length++) {
      await expectError(() => load(bytes.slice(0, length)), { kind: 'format', says: ['load:'] });
    }
    const longer = new Uint8Array(bytes.length + 1);
    longer.set(bytes);
    await expectError(() => load(longer), { kind: 'format', says: ['load:'] });
  });
});

describe('damaged bytes', () => {
  it('without digests give a FormatError or a model that predicts', async () => {
    const bytes = withoutDigests(await (await full()).save());
    const { length } = header(bytes);
    const random = new Random(7);
    let models = 0;
    for (let i = 0; i < 4000; i++) {
      const damaged = bytes.slice();
      // The header is where structure breaks; the tensors take a quarter.
      const at = random.below(4) > 0 ? random.below(8 + length) : random.below(bytes.length);
      damaged[at] = i % 2 === 0 ? (damaged[at] as number) ^ (1 << random.below(8)) : random.below(256);
      const model = await load(damaged).catch((error: unknown) => {
        if (!isFkmError(error) || error.kind !== 'format') throw error;
        return null;
      });
      if (!model) continue;
      models++;
      const width = (await model.transform([]).catch(() => null))?.shape[1];
      expect(width).toBe(3);
      if (models % 20 > 0) continue;
      const { data } = await model.predict(X);
      expect(data).toHaveLength(X.length);
      await model.fitBatch(X, y).catch((error: unknown) => {
        if (!isFkmError(error)) throw error;
      });
    }
    expect(models).toBeGreaterThan(100);
  });
});
