// Distances of one vector to a list of others, in AssemblyScript; `pnpm kernel` compiles it into
// src/kernel-bytes.ts. Vectors are rows of `width` bytes, a multiple of 16, in memory that the caller imports; what pads a
// row is 0 in all of them, which adds nothing to any of the sums. Columns are f32, or codes: i16 of the one vector, i8 of the
// others.
// @ts-nocheck: f32, v128 and load are AssemblyScript's, not TypeScript's.

// Metrics as types: a generic function is compiled once for each type argument.
class Euclidean {}
class Cosine {}
class L1 {}

// Column formats as types.
class Floats {}
class Codes {}

/** The columns of `from` in one step: four floats, or eight codes, which are twice as wide there as in a row. */
function loadFrom<Columns>(from: usize, at: usize): v128 {
  return idof<Columns>() === idof<Floats>() ? v128.load(from + at) : v128.load(from + at + at);
}

function loadRow<Columns>(row: usize, at: usize): v128 {
  return idof<Columns>() === idof<Floats>() ? v128.load(row + at) : v128.load_ext<i8>(row + at);
}

/** Bytes of a row in one step. */
function stride<Columns>(): usize {
  return idof<Columns>() === idof<Floats>() ? 16 : 8;
}

/** Four sums, with the columns of one step added. */
function add<Metric, Columns>(sums: v128, x: v128, y: v128): v128 {
  if (idof<Columns>() === idof<Codes>()) {
    const difference = i16x8.sub(x, y);
    return i32x4.add(
      sums,
      idof<Metric>() === idof<L1>()
        ? i32x4.extadd_pairwise_i16x8_s(i16x8.abs(difference))
        : i32x4.dot_i16x8_s(difference, difference),
    );
  }
  if (idof<Metric>() === idof<Cosine>()) return f32x4.add(sums, f32x4.mul(x, y));
  const difference = f32x4.sub(x, y);
  return f32x4.add(
    sums,
    idof<Metric>() === idof<Euclidean>() ? f32x4.mul(difference, difference) : f32x4.abs(difference),
  );
}

function finish<Metric, Columns>(sums: v128): f32 {
  const floats = idof<Columns>() === idof<Floats>() ? sums : f32x4.convert_i32x4_s(sums);
  const pairs = f32x4.add(floats, v128.shuffle<i32>(floats, floats, 2, 3, 0, 1));
  const total = f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
  return idof<Metric>() === idof<Cosine>() ? 1 - total : total;
}

function row(vectors: usize, width: usize, list: usize): usize {
  return vectors + <usize>load<u32>(list) * width;
}

/**
 * Writes the distances from the row at `from` to rows `list[0 … count − 1]` of `vectors` into `out`. `fetch`: prefetch them, if
 * most are in no cache.
 */
function distances<Metric, Columns>(
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
    // Loads without anything between them, so that the processor waits for many cache misses at once.
    let sink = f32x4.splat(0);
    for (let at = list; at < end; at += 4) {
      const a = row(vectors, width, at);
      for (let line: usize = 0; line < width; line += 64) sink = v128.or(sink, v128.load(a + line));
    }
    // Stored where the first distance will go, so that the compiler keeps the loads.
    if (count > 0) store<f32>(out, f32x4.extract_lane(sink, 0));
  }
  // Four rows at a time, so that each column of `from` is loaded once for four rows.
  for (; list + 16 <= end; list += 16, out += 16) {
    const a = row(vectors, width, list);
    const b = row(vectors, width, list + 4);
    const c = row(vectors, width, list + 8);
    const d = row(vectors, width, list + 12);
    let sumA = f32x4.splat(0);
    let sumB = f32x4.splat(0);
    let sumC = f32x4.splat(0);
    let sumD = f32x4.splat(0);
    for (let at: usize = 0; at < width; at += stride<Columns>()) {
      const x = loadFrom<Columns>(from, at);
      sumA = add<Metric, Columns>(sumA, x, loadRow<Columns>(a, at));
      sumB = add<Metric, Columns>(sumB, x, loadRow<Columns>(b, at));
      sumC = add<Metric, Columns>(sumC, x, loadRow<Columns>(c, at));
      sumD = add<Metric, Columns>(sumD, x, loadRow<Columns>(d, at));
    }
    store<f32>(out, finish<Metric, Columns>(sumA));
    store<f32>(out, finish<Metric, Columns>(sumB), 4);
    store<f32>(out, finish<Metric, Columns>(sumC), 8);
    store<f32>(out, finish<Metric, Columns>(sumD), 12);
  }
  for (; list < end; list += 4, out += 4) {
    const a = row(vectors, width, list);
    let sum = f32x4.splat(0);
    for (let at: usize = 0; at < width; at += stride<Columns>()) {
      sum = add<Metric, Columns>(sum, loadFrom<Columns>(from, at), loadRow<Columns>(a, at));
    }
    store<f32>(out, finish<Metric, Columns>(sum));
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
  distances<Euclidean, Floats>(from, vectors, width, list, count, out, fetch);
}

/** 1 − Σ x·y, for rows of unit length. */
export function cosine(
  from: usize,
  vectors: usize,
  width: usize,
  list: usize,
  count: usize,
  out: usize,
  fetch: bool,
): void {
  distances<Cosine, Floats>(from, vectors, width, list, count, out, fetch);
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
  distances<L1, Floats>(from, vectors, width, list, count, out, fetch);
}

/** Σ (x − y)² of codes. */
export function codedEuclidean(
  from: usize,
  vectors: usize,
  width: usize,
  list: usize,
  count: usize,
  out: usize,
  fetch: bool,
): void {
  distances<Euclidean, Codes>(from, vectors, width, list, count, out, fetch);
}

/** Σ |x − y| of codes. */
export function codedL1(
  from: usize,
  vectors: usize,
  width: usize,
  list: usize,
  count: usize,
  out: usize,
  fetch: bool,
): void {
  distances<L1, Codes>(from, vectors, width, list, count, out, fetch);
}
