// Shared by the tests of several packages: WebGPU on any machine, and transfers of arrays.

export { bufferOf, readBack } from './arrays.js';
export { useSwiftShader } from './swiftshader.js';
