// What tests of several packages share: a WebGPU that is there on every machine, and arrays in and out of it.

export { bufferOf, readBack } from './arrays.js';
export { useSwiftShader } from './swiftshader.js';
