// Known failures of the suite on tfjs, by device; the same in Node and browsers.

// Shaders flush numbers below 2^-126 to 0.
const denormals = 'GPUs flush denormal numbers to 0';

export const onWebGpu: Readonly<Record<string, string>> = {
  'eq float32 [4,1]+[1,4] denormals': denormals,
  'lt float32 [4,1]+[1,4] denormals': denormals,
  'exp float32 [2] denormals': denormals,
  'log float32 [2] denormals': denormals,
};

const floats = 'WebGL has tensors of float32 alone, in which integers are exact up to 2^24';

export const onWebGl: Readonly<Record<string, string>> = {
  ...onWebGpu,
  'add int32 [4,1]+[1,4] large integers': floats,
  'sub int32 [4,1]+[1,4] large integers': floats,
  'max int32 [4,1]+[1,4] large integers': floats,
  'min int32 [4,1]+[1,4] large integers': floats,
  'eq int32 [4,1]+[1,4] large integers': floats,
  'lt int32 [4,1]+[1,4] large integers': floats,
  'log float32 [10] special values': 'SwiftShader takes the logarithm of 0 for -88',
  'div float32 [7,1]+[1,7] special values': 'tfjs takes x / x for 1 before it divides, 0 / 0 too',
  'reduceMax float32 [2,3] axes=-1 infinite': 'tfjs looks for a maximum from -1e20 on',
};
