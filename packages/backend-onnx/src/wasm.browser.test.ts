import { describeBackend, describeEstimators } from '@fkm/conformance';
import { onnxBackend } from './index.js';
import { onCpu } from './known-gaps.js';

const make = () => onnxBackend({ device: 'wasm' });

// The same WebAssembly runs all graphs in Node, and the CPU all estimators by the same kernels.
describeBackend('onnx wasm', make, { knownGaps: onCpu, thorough: false });
describeEstimators('onnx wasm', make, { thorough: false });
