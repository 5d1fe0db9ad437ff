// The digest is MurmurHash3_x86_128: other implementations say so, and no flipped bit goes unseen.

import { describe, expect, it } from 'vitest';
import { Random } from '../random.js';
import { digestOf, digestWords } from './digest.js';

const text = (content: string): Uint8Array => new TextEncoder().encode(content);
const hex = (words: Uint32Array): string =>
  Array.from(words, (word) => word.toString(16).padStart(8, '0')).join('');

describe('the digest', () => {
  // Of mmh3 5.3.1 for Python: hash_bytes(content, seed, x64arch=False), each word turned round from its little-endian bytes.
  it.each<[string, number, string]>([
    ['', 0, '00000000000000000000000000000000'],
    ['', 42, 'af6d2cb695c80cba95c80cba95c80cba'],
    ['a', 0, 'a794933c5556b01b5556b01b5556b01b'],
    ['a', 42, '517b4f5294460fc694460fc694460fc6'],
    ['hello', 0, '2b2444a0db91def79adb31b69adb31b6'],
    ['hello', 42, '9c4f9a01053404f6886f9b95886f9b95'],
    ['0123456789abcdef', 0, 'fb7d440936aed30a48ad1d9b572b3bfd'],
    ['0123456789abcdef', 42, '786271aa342cc4911a291f4ce8714dc9'],
    ['0123456789abcdefg', 0, '7f1f9836516b3876ac29c030f9d6f374'],
    ['0123456789abcdefg', 42, 'c83b49302c5e4e610d2b5d5f312cf4b4'],
    ['The quick brown fox jumps over the lazy dog', 0, '2f1583c3ecee2c675d7bf66ce5e91d2c'],
    ['The quick brown fox jumps over the lazy dog', 42, 'b0c69c19b1fd95c704c746bdb64fcfec'],
    ['ääääääääääääääääääääääääääääääääääääääääääääääääää', 0, '2a4b3e9a38371cf5a6620ae662828389'],
    ['ääääääääääääääääääääääääääääääääääääääääääääääääää', 42, '277249739006bf90ac825d0b4597bdfb'],
  ])('of %j with seed %i is that of mmh3', (content, seed, expected) => {
    expect(hex(digestWords(text(content), [seed, seed, seed, seed]))).toBe(expected);
  });

  it('is the same wherever the bytes lie', () => {
    const random = new Random(1);
    for (const length of [0, 1, 15, 16, 17, 1000, 2 ** 16, 2 ** 17 + 5, 200_001]) {
      const bytes = Uint8Array.from({ length }, () => random.below(256));
      const pool = new Uint8Array(length + 4);
      for (const shift of [1, 2, 3]) {
        pool.set(bytes, shift);
        expect(digestOf(pool.subarray(shift, shift + length))).toBe(digestOf(bytes));
      }
    }
  });

  it('differs for every flipped bit, cut, swap of blocks, and context', () => {
    const random = new Random(2);
    const bytes = Uint8Array.from({ length: 400 }, () => random.below(256));
    const seen = new Set([digestOf(bytes)]);
    for (let bit = 0; bit < 8 * bytes.length; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      seen.add(digestOf(changed));
    }
    for (let length = 0; length < bytes.length; length++) seen.add(digestOf(bytes.slice(0, length)));
    const blocks = bytes.length / 16;
    for (let a = 0; a < blocks; a++) {
      for (let b = 0; b < a; b++) {
        const swapped = bytes.slice();
        swapped.copyWithin(16 * a, 16 * b, 16 * b + 16);
        swapped.set(bytes.subarray(16 * a, 16 * a + 16), 16 * b);
        seen.add(digestOf(swapped));
      }
    }
    for (const context of ['F32[100]', 'F32[10,10]', 'I32[100]']) seen.add(digestOf(bytes, context));
    expect(seen.size).toBe(1 + 3200 + 400 + (blocks * (blocks - 1)) / 2 + 3);
  });

  it('differs if the signs of several words differ, and if zeros are appended', () => {
    const zeros = (length: number, ...signs: number[]): string => {
      const bytes = new Uint8Array(length);
      for (const at of signs) bytes[4 * at + 3] = 0x80;
      return digestOf(bytes);
    };
    const all = [
      zeros(64),
      zeros(64, 0, 1),
      zeros(64, 0, 4),
      zeros(64, 3, 9),
      zeros(65),
      zeros(80),
      zeros(96),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});
