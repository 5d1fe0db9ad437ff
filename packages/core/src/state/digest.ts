// A digest that detects damage: MurmurHash3_x86_128 (Appleby 2011), the fastest well-tested one in 32-bit arithmetic, which JavaScript has
// without BigInt. It is no signature: whoever can write a file can also write its digest.
//
// Each block of 16 bytes moves the 128-bit state by a bijection. So two contents that differ within one block, as by a flipped bit, never
// share a digest. Other differences go undetected with a chance of 2⁻¹²⁸.

const littleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

const rotated = (x: number, by: number): number => (x << by) | (x >>> (32 - by));

/** The final mix of a word: every input bit affects every output bit. */
function avalanche(word: number): number {
  let h = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** The words of whole blocks: a view where endianness and alignment allow, else a copy. */
function wordsOf(bytes: Uint8Array, count: number): Uint32Array {
  if (littleEndian && bytes.byteOffset % 4 === 0)
    return new Uint32Array(bytes.buffer, bytes.byteOffset, count);
  const words = new Uint32Array(count);
  if (littleEndian) new Uint8Array(words.buffer).set(bytes.subarray(0, 4 * count));
  else {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let i = 0; i < count; i++) words[i] = view.getUint32(4 * i, true);
  }
  return words;
}

/** Bytes copied at a time where the data is not aligned to 4. */
const stretch = 1 << 16;

const mix1 = (k: number): number => Math.imul(rotated(Math.imul(k, 0x239b961b), 15), 0xab0e9789);
const mix2 = (k: number): number => Math.imul(rotated(Math.imul(k, 0xab0e9789), 16), 0x38b34ae5);
const mix3 = (k: number): number => Math.imul(rotated(Math.imul(k, 0x38b34ae5), 17), 0xa1e38b93);
const mix4 = (k: number): number => Math.imul(rotated(Math.imul(k, 0xa1e38b93), 18), 0x239b961b);

/** The four words of a digest. `start` holds four words: the digest of the preceding bytes, or a seed repeated four times. */
export function digestWords(bytes: Uint8Array, start: ArrayLike<number> = [0, 0, 0, 0]): Uint32Array {
  let [h1, h2, h3, h4] = Array.from(start) as [number, number, number, number];
  const whole = bytes.length & ~15;
  const step = littleEndian && bytes.byteOffset % 4 === 0 ? Math.max(16, whole) : stretch;
  for (let at = 0; at < whole; at += step) {
    const words = wordsOf(bytes.subarray(at), Math.min(step, whole - at) / 4);
    for (let i = 0; i < words.length; i += 4) {
      h1 = (Math.imul(rotated(h1 ^ mix1(words[i] as number), 19) + h2, 5) + 0x561ccd1b) | 0;
      h2 = (Math.imul(rotated(h2 ^ mix2(words[i + 1] as number), 17) + h3, 5) + 0x0bcaa747) | 0;
      h3 = (Math.imul(rotated(h3 ^ mix3(words[i + 2] as number), 15) + h4, 5) + 0x96cd1c35) | 0;
      h4 = (Math.imul(rotated(h4 ^ mix4(words[i + 3] as number), 13) + h1, 5) + 0x32ac3b17) | 0;
    }
  }
  // The last partial block is padded with zeros, which leave the state as it is.
  const rest = new Uint8Array(16);
  rest.set(bytes.subarray(whole));
  const [k1, k2, k3, k4] = wordsOf(rest, 4) as unknown as [number, number, number, number];
  const length = bytes.length;
  h1 ^= mix1(k1) ^ length;
  h2 ^= mix2(k2) ^ length;
  h3 ^= mix3(k3) ^ length;
  h4 ^= mix4(k4) ^ length;
  h1 = (h1 + h2 + h3 + h4) | 0;
  h2 = (h2 + h1) | 0;
  h3 = (h3 + h1) | 0;
  h4 = (h4 + h1) | 0;
  h1 = avalanche(h1);
  h2 = avalanche(h2);
  h3 = avalanche(h3);
  h4 = avalanche(h4);
  h1 = (h1 + h2 + h3 + h4) | 0;
  return Uint32Array.of(h1, h2 + h1, h3 + h1, h4 + h1);
}

/** A digest as 32 hexadecimal digits. `context`, such as a type and a shape, is part of what is hashed. */
export function digestOf(bytes: Uint8Array, context = ''): string {
  const start = context === '' ? undefined : digestWords(new TextEncoder().encode(context));
  return Array.from(digestWords(bytes, start), (word) => word.toString(16).padStart(8, '0')).join('');
}
