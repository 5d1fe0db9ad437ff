// Files that accidents changed: whatever bit, block or length is another one, none of them loads.

import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../checkpoint/safetensors.js';
import { isFkmError } from '../errors.js';
import { Random } from '../random.js';
import type { Task } from '../state/options.js';
import {
  answers,
  estimators,
  expectError,
  givenOf,
  type Model,
  rows,
  small,
  smallOf,
  tasks,
  withDigests,
  withoutDigests,
} from './testing.js';

const { X } = rows(30);

/** A model with moments of Adam, in halves where it has lines. */
async function trained(task: Task): Promise<Model> {
  const y = estimators[task].targets(X);
  const model = smallOf(task, {
    autoFeatureWeights: true,
    ...(task === 'regressor' && { dtype: 'bfloat16' }),
  });
  await model.fitBatch(X, y, { featureMask: [1, 1, 1] });
  await model.fitBatch(X, y, { gradientStep: true });
  return model;
}

const files: readonly (readonly [string, (task: Task) => Promise<Uint8Array>])[] = [
  ['that is whole', async (task) => (await trained(task)).save()],
  ['without the optimiser', async (task) => (await trained(task)).save({ optimiser: false })],
  ['of a new model', async (task) => smallOf(task).save()],
  ['of a given grid', async (task) => givenOf(task).save()],
];

/** What `load` says of bytes that may be damaged; null where it takes them. */
async function verdict(task: Task, bytes: Uint8Array): Promise<string | null> {
  try {
    await estimators[task].load(bytes);
    return null;
  } catch (error) {
    if (!isFkmError(error) || error.kind !== 'format') throw error;
    return error.message;
  }
}

const flipped = (bytes: Uint8Array, bit: number): Uint8Array => {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  return copy;
};

describe.each(tasks)('%s', (task) => {
  it.each(files)('a file %s with one flipped bit never loads', async (_, make) => {
    const bytes = await make(task);
    expect(await verdict(task, bytes)).toBeNull();
    const header = 8 * (8 + Number(new DataView(bytes.buffer).getBigUint64(0, true)));
    const random = new Random(3);
    // All of the length and the first names, and as many of the header as of the numbers.
    const bits = Array.from({ length: 256 }, (_, bit) => bit);
    for (let i = 0; i < 300; i++) {
      bits.push(random.below(header));
      if (8 * bytes.length > header) bits.push(header + random.below(8 * bytes.length - header));
    }
    for (const bit of bits) expect(await verdict(task, flipped(bytes, bit)), `bit ${bit}`).not.toBeNull();
  });

  it('a file with blocks that changed places, that are gone, or are zero never loads', async () => {
    const bytes = await (await trained(task)).save();
    const random = new Random(4);
    let damaged = 0;
    for (let i = 0; i < 400; i++) {
      const size = 2 ** random.below(7);
      const [a, b] = [random.below(bytes.length - size), random.below(bytes.length - size)];
      const swapped = bytes.slice();
      swapped.copyWithin(a, b, b + size);
      swapped.set(bytes.subarray(a, a + size), b);
      const zeroed = bytes.slice().fill(0, a, a + size);
      const short = Uint8Array.from([...bytes.subarray(0, a), ...bytes.subarray(a + size)]);
      for (const copy of [swapped, zeroed, short]) {
        // Blocks that are equal, or overlap, can leave a file as it was.
        if (Buffer.compare(copy, bytes) === 0) continue;
        damaged++;
        expect(await verdict(task, copy), `${size} bytes at ${a} and ${b}`).not.toBeNull();
      }
    }
    expect(damaged).toBeGreaterThan(700);
  });
});

describe('a damaged file', () => {
  it('is told apart by what differs', async () => {
    const bytes = await small().save();
    const { metadata, tensors } = readSafetensors(await (await trained('regressor')).save(), () => ({
      digests: true,
    }));
    expect(Object.keys(metadata)).toContain('digest');
    const text = new TextDecoder('latin1').decode(bytes);
    const at = (what: string): Uint8Array => flipped(bytes, 8 * text.indexOf(what));
    const refused = (file: Uint8Array, says: string): Promise<void> =>
      expectError(() => estimators.regressor.load(file), { kind: 'format', says: ['load:', says] });
    await refused(at('heads'), "its metadata 'options' is not what was written");
    await refused(at('"digest"'), 'the header is no JSON');
    await refused(at('digest":'), 'its metadata has no digests');
    await refused(at('regressor'), 'holds a segressor, not a regressor');
    for (const { name, bytes: own } of tensors) {
      const file = (await (await trained('regressor')).save()).slice();
      const place = own.byteOffset;
      file[place] = (file[place] as number) ^ 1;
      await refused(file, `its tensor '${name}' is not what was written`);
    }
  });

  it('without digests is an older one, which loads, answers and is saved with them', async () => {
    for (const task of tasks) {
      const model = await trained(task);
      const bytes = await model.save();
      const again = await estimators[task].load(withoutDigests(bytes));
      expect(await answers(again, X)).toEqual(await answers(model, X));
      expect(await again.save()).toEqual(bytes);
    }
  });
});

describe('numbers that no model has', () => {
  const bad: Readonly<Record<string, readonly number[]>> = {
    'state.ages': [Number.NaN, Number.POSITIVE_INFINITY, -1],
    'state.coordinateAges': [Number.NaN, -1],
    'state.spread': [Number.NaN, Number.POSITIVE_INFINITY, -1],
    'state.variances': [Number.NaN, Number.POSITIVE_INFINITY],
    logBandwidth: [Number.NaN, Number.NEGATIVE_INFINITY, 1e4],
    'scaler.knots': [Number.NaN, Number.NEGATIVE_INFINITY, 1e30],
    'scaler.inverse': [Number.NaN, Number.POSITIVE_INFINITY, -1],
    thresholds: [Number.NaN, 2, -1],
    frozen: [2],
  };
  const usual = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

  it.each(tasks)('are refused in every array of a %s, with digests and without', async (task) => {
    const y = estimators[task].targets(X);
    const model = smallOf(task, { autoFeatureWeights: true, scaling: 'dual' });
    await model.fitBatch(X, y, { featureMask: [1, 1, 1] });
    await model.finetune(X, y, { epochs: 1, evalFraction: 0.3 }).catch(() => null);
    await model.fitBatch(X, y, { gradientStep: true });
    const bytes = withoutDigests(await model.save());
    const { tensors } = readSafetensors(bytes, () => ({ digests: false }));
    expect(tensors.length).toBeGreaterThan(5);
    for (const { name, dtype, bytes: own } of tensors) {
      if (dtype === 'I32') continue;
      for (const value of bad[name] ?? [...usual, ...(name.startsWith('adam.v.') ? [-1] : [])]) {
        const file = bytes.slice();
        const view = new DataView(file.buffer, own.byteOffset, own.byteLength);
        if (dtype === 'F64') view.setFloat64(0, value, true);
        else if (dtype === 'F32') view.setFloat32(0, value, true);
        else view.setUint8(0, value);
        for (const each of [file, withDigests(file)])
          await expectError(() => estimators[task].load(each), { kind: 'format', says: ['load:', name] });
      }
    }
  });

  it.each(['float16', 'bfloat16'])('are refused in %s', async (dtype) => {
    const model = smallOf('regressor', { dtype });
    await model.fitBatch(X, estimators.regressor.targets(X));
    const bytes = withoutDigests(await model.save());
    const { tensors } = readSafetensors(bytes, () => ({ digests: false }));
    for (const { byteOffset } of tensors.filter(({ name }) => name === 'targets').map((t) => t.bytes)) {
      for (const bits of dtype === 'float16' ? [0x7c00, 0xfc00, 0x7e00] : [0x7f80, 0xff80, 0x7fc0]) {
        const file = bytes.slice();
        new DataView(file.buffer).setUint16(byteOffset, bits, true);
        await expectError(() => estimators.regressor.load(file), {
          kind: 'format',
          says: ['load: targets is'],
        });
      }
    }
  });
});
