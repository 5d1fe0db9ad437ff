// Distances of one vector to a list of others, in AssemblyScript; `pnpm kernel` compiles it into
// src/kernel-bytes.ts. Vectors are rows of `width` bytes, a multiple of 16, in memory that the caller imports; what pads a
// row is 0 in all of them, which adds nothing to any of the sums.
// @ts-nocheck: f32, v128 and load are AssemblyScript's, not TypeScript's.

// Names of metrics as types: a function is compiled once for each type that it is called with.
class Euclidean {}
class Cosine {}
class L1 {}

/** What four columns add to a sum. */
function term<Metric>(x: v128, y: v128): v128 {
  if (idof<Metric>() === idof<Cosine>()) return f32x4.mul(x, y);
  const difference = f32x4.sub(x, y);
  return idof<Metric>() === idof<Euclidean>() ? f32x4.mul(difference, difference) : f32x4.abs(difference);
}

function finish<Metric>(sums: v128): f32 {
  const pairs = f32x4.add(sums, v128.shuffle<i32>(sums, sums, 2, 3, 0, 1));
  const total = f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
  return idof<Metric>() === idof<Cosine>() ? 1 - total : total;
}

function row(vectors: usize, width: usize, list: usize): usize {
  return vectors + <usize>load<u32>(list) * width;
}

/**
 * Writes the distances of the row at `from` to rows `list[0 … count − 1]` of `vectors` to `out`; `fetch` where these are mostly
 * in no cache.
 */
function distances<Metric>(
  from: usize,
  vectors: usize,
  width: usize,
  list: usize,
  count: usize,
  out: usize,
  fetch: bool,
): void {
  const end = list + (count << 2);
  if (fetch) {
    // All misses at once: a processor waits for many lines of memory together where nothing else stands between the loads.
    let sink = f32x4.splat(0);
    for (let at = list; at < end; at += 4) {
      const a = row(vectors, width, at);
      for (let line: usize = 0; line < width; line += 64) sink = v128.or(sink, v128.load(a + line));
    }
    // Written where the first distance will be, so that no compiler leaves the loads out.
    if (count > 0) store<f32>(out, f32x4.extract_lane(sink, 0));
  }
  // Four rows a round, so that each column of `from` is loaded once for four.
  for (; list + 16 <= end; list += 16, out += 16) {
    const a = row(vectors, width, list);
    const b = row(vectors, width, list + 4);
    const c = row(vectors, width, list + 8);
    const d = row(vectors, width, list + 12);
    let sumA = f32x4.splat(0);
    let sumB = f32x4.splat(0);
    let sumC = f32x4.splat(0);
    let sumD = f32x4.splat(0);
    for (let at: usize = 0; at < width; at += 16) {
      const x = v128.load(from + at);
      sumA = f32x4.add(sumA, term<Metric>(x, v128.load(a + at)));
      sumB = f32x4.add(sumB, term<Metric>(x, v128.load(b + at)));
      sumC = f32x4.add(sumC, term<Metric>(x, v128.load(c + at)));
      sumD = f32x4.add(sumD, term<Metric>(x, v128.load(d + at)));
    }
    store<f32>(out, finish<Metric>(sumA));
    store<f32>(out, finish<Metric>(sumB), 4);
    store<f32>(out, finish<Metric>(sumC), 8);
    store<f32>(out, finish<Metric>(sumD), 12);
  }
  for (; list < end; list += 4, out += 4) {
    const a = row(vectors, width, list);
    let sum = f32x4.splat(0);
    for (let at: usize = 0; at < width; at += 16) {
      sum = f32x4.add(sum, term<Metric>(v128.load(from + at), v128.load(a + at)));
    }
    store<f32>(out, finish<Metric>(sum));
  }
}

/** Σ (x − y)² */
export function euclidean(
  from: usize,
  vectors: usize,
  width: usize,
  list: usize,
  count: usize,
  out: usize,
  fetch: bool,
): void {
  distances<Euclidean>(from, vectors, width, list, count, out, fetch);
}

/** 1 − Σ x·y, of rows of length 1. */
export function cosine(
  from: usize,
  vectors: usize,
  width: usize,
  list: usize,
  count: usize,
  out: usize,
  fetch: bool,
): void {
  distances<Cosine>(from, vectors, width, list, count, out, fetch);
}

/** Σ |x − y| */
export function l1(
  from: usize,
  vectors: usize,
  width: usize,
  list: usize,
  count: usize,
  out: usize,
  fetch: bool,
): void {
  distances<L1>(from, vectors, width, list, count, out, fetch);
}
