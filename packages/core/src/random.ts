// The one source of randomness: seeded, the same on every machine, its state part of every checkpoint.

/** sfc32 (Doty-Humphrey, PractRand): 128 bits of state, passes PractRand, needs only 32-bit integers. */
export class Random {
  private state: Uint32Array;

  constructor(seed: number) {
    this.state = Uint32Array.of(seed, seed / 2 ** 32, 0x9e3779b9, 1);
    for (let i = 0; i < 16; i++) this.uint32();
  }

  /** The whole state: `Random.from(r.save())` continues where r stopped. */
  save(): number[] {
    return Array.from(this.state);
  }

  static from(state: readonly number[]): Random {
    const random = new Random(0);
    random.state = Uint32Array.from(state);
    return random;
  }

  uint32(): number {
    const s = this.state;
    // One by one: destructuring a typed array goes through its iterator, which takes several times as long.
    const a = s[0] as number;
    const b = s[1] as number;
    const c = s[2] as number;
    const d = s[3] as number;
    const out = (a + b + d) >>> 0;
    s[3] = d + 1;
    s[0] = b ^ (b >>> 9);
    s[1] = c + (c << 3);
    s[2] = ((c << 21) | (c >>> 11)) + out;
    return out;
  }

  /** Uniform in [0, 1), with 53 bits. */
  uniform(): number {
    return ((this.uint32() >>> 5) * 67108864 + (this.uint32() >>> 6)) / 9007199254740992;
  }

  /** Uniform integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.uniform() * n);
  }

  /** A permutation of 0 … n−1 (Fisher–Yates). */
  permutation(n: number): Uint32Array {
    const order = new Uint32Array(n);
    for (let i = 0; i < n; i++) order[i] = i;
    for (let i = n - 1; i > 0; i--) {
      const j = this.below(i + 1);
      const swap = order[i] as number;
      order[i] = order[j] as number;
      order[j] = swap;
    }
    return order;
  }

  /**
   * An index drawn with probability proportional to its weight. If rounding leaves the draw past the last one, the last index with a
   * positive weight is taken.
   */
  weighted(weights: ArrayLike<number>, total: number): number {
    let left = this.uniform() * total;
    let last = 0;
    for (let i = 0; i < weights.length; i++) {
      const w = weights[i] as number;
      if (w <= 0) continue;
      last = i;
      left -= w;
      if (left < 0) return i;
    }
    return last;
  }
}
