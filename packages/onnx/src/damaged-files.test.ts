// Thousands of damaged files: each gives a FormatError, or a model that predicts; nothing else, and soon.

import { isFkmError } from '@fkm/core';
import type { Estimator } from '@fkm/core/deploy';
import { describe, expect, it } from 'vitest';
import { exportOnnx } from './export-onnx.js';
import { importOnnx } from './import-onnx.js';
import { backend, learned, rows, seeded, targetsOf, trainingRows, withoutDigests } from './testing.js';

type Random = () => number;
const below = (random: Random, n: number): number => Math.floor(random() * n);

/** What can happen to bytes. */
const damages: Readonly<Record<string, (bytes: Uint8Array, random: Random) => Uint8Array>> = {
  'a bit': (bytes, random) => {
    const at = below(random, bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << below(random, 8));
    return bytes;
  },
  'a byte': (bytes, random) => {
    bytes[below(random, bytes.length)] = below(random, 256);
    return bytes;
  },
  // Where lengths, tags and texts are denser than in weights: the end, and the first bytes of messages.
  'a byte of the metadata': (bytes, random) => {
    bytes[bytes.length - 1 - below(random, 3000)] = below(random, 256);
    return bytes;
  },
  'a huge varint': (bytes, random) => {
    const at = below(random, bytes.length - 10);
    bytes.fill(0xff, at, at + 1 + below(random, 9));
    return bytes;
  },
  'a digit of the metadata': (bytes, random) => {
    let at = bytes.length - 1 - below(random, 3000);
    while (at > 0 && !((bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39)) at--;
    bytes[at] = 0x30 + below(random, 10);
    return bytes;
  },
  'a piece left out': (bytes, random) => {
    const at = below(random, bytes.length);
    const end = Math.min(bytes.length, at + 1 + below(random, 40));
    return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(end)]);
  },
  'a piece twice': (bytes, random) => {
    const at = below(random, bytes.length);
    const end = Math.min(bytes.length, at + 1 + below(random, 400));
    return Uint8Array.from([...bytes.subarray(0, end), ...bytes.subarray(at)]);
  },
  'two places changed': (bytes, random) => {
    const [a, b] = [below(random, bytes.length - 8), below(random, bytes.length - 8)];
    bytes.copyWithin(a, b, b + 8);
    return bytes;
  },
};

/** What a model says of three rows; damage may have changed how many columns it wants. */
async function answer(model: Estimator): Promise<{ readonly shape: readonly number[] }> {
  try {
    return await model.predict(rows(3, 4));
  } catch (error) {
    if (!isFkmError(error) || error.kind !== 'shape') throw error;
    return model.predict(rows(3, error.details.expected as number));
  }
}

/** The model in a file, or null for a FormatError. */
async function opened(bytes: Uint8Array): Promise<Estimator | null> {
  try {
    return await importOnnx(bytes, { backend });
  } catch (error) {
    if (!isFkmError(error) || error.kind !== 'format') throw error;
    return null;
  }
}

const subjects: readonly (readonly [string, () => Promise<Uint8Array>])[] = [
  ['classifier', async () => exportOnnx(await learned.classifier())],
  [
    'multi-label classifier with thresholds, in halves',
    async () => {
      const model = await learned.multiLabel({ dtype: 'float16' });
      await model.tuneThresholds(trainingRows as number[][], targetsOf.labelSets(trainingRows));
      return exportOnnx(model, { featureMask: true });
    },
  ],
  [
    'regressor of lines, without digests',
    async () => {
      const model = await learned.regressor({ prototypeModel: 'linear', scaling: 'standard' });
      // Their graphs are not compared: what a model holds has to stand by itself.
      return withoutDigests(exportOnnx(model));
    },
  ],
];

describe.each(subjects.slice(0, 2))('of a %s', (_, make) => {
  it('300 flipped bits: none loads', async () => {
    const whole = await make();
    const random = seeded(1);
    for (let i = 0; i < 300; i++) {
      const bytes = whole.slice();
      // As many of the metadata as of everything before them.
      const at = i % 2 ? below(random, bytes.length) : bytes.length - 1 - below(random, 3000);
      bytes[at] = (bytes[at] as number) ^ (1 << below(random, 8));
      expect(await opened(bytes), `${i}: byte ${at}`).toBeNull();
    }
  });

  it('a bit of any of the first 200 bytes flipped: none loads', async () => {
    const whole = await make();
    // Two or three of each byte, and every place in a byte.
    for (let bit = 0; bit < 1600; bit += 3) {
      const bytes = whole.slice();
      bytes[bit >> 3] = (bytes[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(await opened(bytes), `bit ${bit}`).toBeNull();
    }
  });
});

describe.each(subjects)('of a %s', (_, make) => {
  it.each(Object.entries(damages))('%s', async (name, damage) => {
    const whole = await make();
    expect(await opened(whole)).not.toBeNull();
    const random = seeded(name.length);
    for (let i = 0; i < 60; i++) {
      const model = await opened(damage(whole.slice(), random));
      if (!model) continue;
      expect((await answer(model)).shape[0]).toBe(3);
    }
  });

  it('cut off anywhere', async () => {
    const whole = await make();
    for (
      let length = 0;
      length < whole.length;
      length += length < 300 || whole.length - length < 300 ? 1 : 53
    ) {
      expect(await opened(whole.subarray(0, length))).toBeNull();
    }
  });
});
