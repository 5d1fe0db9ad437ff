// Files that accidents changed, which are refused, and files that somebody changed, with a digest that fits: nothing of them may
// lead out of the arrays.

import { describe, expect, it } from 'vitest';
import { checksum, frameBytes, seal, viewOf } from './bytes.js';
import { hnswIndex } from './index.js';
import { moved, sameBytes, seeded, somePoints } from './testing.js';

const points = somePoints('clustered', 90, 3, 1);
const own = { m: 3, efConstruction: 20, ef: 2 };

async function saved(): Promise<Uint8Array> {
  const index = hnswIndex(own);
  await index.build(points);
  await index.remove([1, 2]);
  return index.save();
}

const reseal = (bytes: Uint8Array): Uint8Array => seal(bytes, 'fkm-hnsw');

/** What load says, or null where it takes the bytes; then every search has to end. */
async function verdict(bytes: Uint8Array): Promise<string | null> {
  const index = hnswIndex(own);
  try {
    await index.load(bytes);
  } catch (error) {
    expect(error).toMatchObject({ kind: 'format' });
    return (error as Error).message;
  }
  const { indices } = await index.search(points, 3, { ef: 2 });
  expect(Math.max(...indices)).toBeLessThan(90);
  await index.refresh();
  return null;
}

/** What load says; null where it takes the bytes. */
async function said(bytes: Uint8Array): Promise<string | null> {
  const index = hnswIndex(own);
  return index.load(bytes).then(
    () => null,
    (error: unknown) => {
      expect(error).toMatchObject({ kind: 'format' });
      return (error as Error).message;
    },
  );
}

/** As version 1 wrote it: another frame, the same content. */
function ofVersion1(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length - frameBytes + 16);
  out.set(bytes.subarray(0, 8));
  out.set(bytes.subarray(frameBytes), 16);
  viewOf(out).setUint32(8, 1, true);
  viewOf(out).setUint32(12, checksum(out), true);
  return out;
}

describe('a file', () => {
  it('with a flipped bit, anywhere, never loads', async () => {
    const bytes = await saved();
    const uniform = seeded(9);
    const bits = Array.from({ length: 8 * frameBytes }, (_, bit) => bit);
    for (let i = 0; i < 600; i++) bits.push(Math.floor(uniform() * 8 * bytes.length));
    for (const bit of bits) {
      const copy = bytes.slice();
      copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(await said(copy), `bit ${bit}`).not.toBeNull();
    }
  });

  it('with two signs flipped, blocks that changed places, or cut off, never loads', async () => {
    const bytes = await saved();
    const uniform = seeded(10);
    const vectors = bytes.length - points.data.byteLength;
    const below = (n: number): number => Math.floor(uniform() * n);
    for (let i = 0; i < 100; i++) {
      const signs = bytes.slice();
      const [a, b] = [vectors + 4 * below(270) + 3, vectors + 4 * below(270) + 3];
      for (const at of [a, b]) signs[at] = (signs[at] as number) ^ 0x80;
      if (a !== b) expect(await said(signs)).toContain('damaged');
      const swapped = bytes.slice();
      const [from, to] = [frameBytes + below(bytes.length - 50), frameBytes + below(bytes.length - 50)];
      swapped.copyWithin(to, from, from + 16);
      swapped.set(bytes.subarray(to, to + 16), from);
      if (!sameBytes(swapped, bytes)) expect(await said(swapped)).not.toBeNull();
      expect(await said(bytes.subarray(0, below(bytes.length)))).not.toBeNull();
    }
  });

  it('of version 1 loads, finds the same and is saved as version 2', async () => {
    const bytes = await saved();
    const [old, now] = [hnswIndex(own), hnswIndex(own)];
    await old.load(ofVersion1(bytes));
    await now.load(bytes);
    expect(await old.search(points, 3)).toEqual(await now.search(points, 3));
    expect(sameBytes(await old.save(), bytes)).toBe(true);
    const damaged = ofVersion1(bytes);
    damaged[100] = (damaged[100] as number) ^ 1;
    expect(await said(damaged)).toContain('damaged');
  });
});

describe('a file with a digest that fits', () => {
  it('is read as it was written', async () => {
    expect(await verdict(reseal(await saved()))).toBeNull();
  });

  const [head, levels] = [frameBytes, frameBytes + 32];
  const ground = levels + 92 + 90 * 4;
  it.each<[string, number, number, string]>([
    ['a distance that is unknown', head, 7, 'a distance that is unknown here'],
    ['more places than it holds', head + 4, 2 ** 31 - 1, 'they end at'],
    ['fewer than none', head + 4, -5, 'K is -5'],
    ['no columns', head + 8, 0, 'D is 0'],
    ['more columns than it holds', head + 8, 2 ** 31 - 1, 'they end at'],
    ['no links', head + 12, 0, 'm is 0'],
    ['other numbers of links', head + 12, 2, 'bytes, should have'],
    ['no candidates', head + 16, 0, 'efConstruction is 0'],
    ['an entry that is nowhere', head + 20, 90, 'its entry is 90'],
    ['no entry', head + 20, -1, 'its entry is -1'],
    ['a link to nowhere', ground, 90, 'place 0 is linked to 90 on level 0'],
    ['a link to the place itself', ground, 0, 'place 0 is linked to 0'],
    ['a link after the end of a list', ground, -1, 'place 0 is linked to'],
    ['a link below none', ground, -2, 'place 0 is linked to -2'],
    ['a drift that is no number', levels + 92, 0x7fc00000, 'place 0 has drift NaN'],
  ])('and %s', async (_, at, value, message) => {
    const bytes = await saved();
    viewOf(bytes).setInt32(at, value, true);
    expect(await verdict(reseal(bytes))).toContain(message);
  });

  it('is refused for an impossible state, level or number', async () => {
    const changed = async (change: (bytes: Uint8Array) => void): Promise<string | null> => {
      const bytes = await saved();
      change(bytes);
      return verdict(reseal(bytes));
    };
    expect(await changed((bytes) => bytes.fill(3 << 5, levels, levels + 1))).toContain(
      'place 0 is in state 3',
    );
    expect(await changed((bytes) => bytes.fill(31, levels, levels + 1))).toContain('place 0 has level 31');
    expect(await changed((bytes) => bytes.fill(0xff, bytes.length - 4))).toContain('place 89 has NaN');
    expect(await changed((bytes) => bytes.fill(2 << 5, levels + 1, levels + 2))).toContain(
      'place 1 is linked to',
    );
  });

  it('is refused for a link to an unlinked point or one below the level, and for an entry below others', async () => {
    const index = hnswIndex(own);
    await index.build(points);
    await index.remove([1]);
    await index.refresh();
    const bytes = await index.save();
    const levelOf = (place: number): number => (bytes[levels + place] as number) & 31;
    const places = Array.from({ length: 90 }, (_, place) => place);
    const changed = (at: number, value: number): Promise<string | null> => {
      const copy = bytes.slice();
      viewOf(copy).setInt32(at, value, true);
      return verdict(reseal(copy));
    };
    expect(await changed(ground, 1)).toContain('place 0 is linked to 1 on level 0');
    // Lists of higher levels follow those of the ground, in the order of places.
    const upper = ground + 90 * 2 * own.m * 4;
    const first = places.find((place) => levelOf(place) > 0) as number;
    const low = places.find((place) => levelOf(place) === 0) as number;
    expect(await changed(upper, low)).toContain(`place ${first} is linked to ${low} on level 1`);
    expect(await changed(head + 20, low)).toContain('is above the entry');
  });

  it('is refused for version 0', async () => {
    expect(await verdict(seal(await saved(), 'fkm-hnsw', 0))).toContain('there is no version 0');
  });

  it('remembers how far points have drifted', async () => {
    const [going, loaded] = [hnswIndex(own), hnswIndex(own)];
    await going.build(points);
    const everywhere = Array.from({ length: 90 }, (_, place) => place);
    await going.update(everywhere, moved(points, 0.03, 5));
    await loaded.load(await going.save());
    for (const index of [going, loaded]) {
      await index.update(everywhere, moved(points, 0.03, 6));
      await index.refresh();
    }
    expect(sameBytes(await loaded.save(), await going.save())).toBe(true);
  });

  it('gives an answer or a FormatError after each of 1500 random changes', async () => {
    const bytes = await saved();
    const uniform = seeded(2);
    const below = (n: number): number => Math.floor(uniform() * n);
    let refused = 0;
    for (let round = 0; round < 1500; round++) {
      let copy = bytes.slice();
      const graphBytes = copy.length - points.data.byteLength;
      for (let n = below(3); n >= 0; n--) {
        const at = frameBytes + below(graphBytes - frameBytes - 4);
        if (uniform() < 0.5) copy[at] = below(256);
        else viewOf(copy).setInt32(at - (at % 4), below(94) - 2, true);
      }
      if (uniform() < 0.1) copy = copy.slice(0, frameBytes + below(copy.length - frameBytes));
      if ((await verdict(reseal(copy))) !== null) refused++;
    }
    expect(refused).toBeGreaterThan(500);
    expect(refused).toBeLessThan(1500);
  });
});
