// Known failures of the suite on onnxruntime, by device; the same in Node and browsers.

// The runtime's Where fills entries that are not chosen with 0 and merges both by comparing with 0, so −0 becomes 0.
const signedZero = 'Where gives 0 for −0';

export const onCpu: Readonly<Record<string, string>> = {
  'select float32 [2,1]+[7]+[] special values': signedZero,
  'select float16 [2,1]+[7]+[] special values': signedZero,
};

// Shaders may assume that no number is NaN or infinite, and flush numbers below 2^-126 to 0.
const fastMath = 'WGSL lets implementations assume finite numbers';
const denormals = 'GPUs flush denormal numbers to 0';
// This kernel packs four bools into a word, and reads an operand with one column as if it had four.
const packedBools = 'onnxruntime 1.30 broadcasts bools wrongly along both operands';

export const onWebGpu: Readonly<Record<string, string>> = {
  'and bool [1,4]+[B,1]': packedBools,
  'eq float32 [4,1]+[1,4] denormals': denormals,
  'lt float32 [4,1]+[1,4] denormals': denormals,
  'exp float32 [2] denormals': denormals,
  'log float32 [2] denormals': denormals,
  'exp float32 [11] special values': fastMath,
  'log float32 [10] special values': fastMath,
  'topK float32 [B,3] k=3 infinite': fastMath,
  'topK float32 [B,3] k=3 infinite B=1': fastMath,
};

// Both start from the lowest finite number, and return it if nothing exceeds −∞.
const lowest = 'CUDA kernels of onnxruntime 1.30 take −∞ for the lowest finite number';
const topKTies = 'TopK on CUDA takes any of equal numbers in rows as long as these';

export const onCuda: Readonly<Record<string, string>> = {
  'reduceMax float32 [2,3] axes=-1 infinite': lowest,
  'topK float32 [B,3] k=3 infinite': lowest,
  'topK float32 [B,3] k=3 infinite B=1': lowest,
  'topK float16 [B,3] k=3 infinite': lowest,
  'topK float16 [B,3] k=3 infinite B=1': lowest,
  'topK float32 [4,400] k=4 ties': topKTies,
  'topK int32 [2,400] k=70': topKTies,
  'gradient of topK float32 [4,400] k=4 ties': topKTies,
};
