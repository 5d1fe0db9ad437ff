import { describeBackend, describeEstimators } from '@fkm/conformance';
import { tfjsBackend } from './index.js';

const kinds = ['tfjs-backend-wasm', 'tfjs-backend-wasm-simd', 'tfjs-backend-wasm-threaded-simd'];
const dist = '/packages/backend-tfjs/node_modules/@tensorflow/tfjs-backend-wasm/dist';
const { url: here } = import.meta;
const wasmPaths = Object.fromEntries(
  kinds.map((kind) => [`${kind}.wasm`, new URL(`${dist}/${kind}.wasm`, here).href]),
);
const make = () => tfjsBackend({ device: 'wasm', wasmPaths });

// The same WebAssembly runs everything in Node.
describeBackend('tfjs wasm', make, { thorough: false });
describeEstimators('tfjs wasm', make, { thorough: false });
