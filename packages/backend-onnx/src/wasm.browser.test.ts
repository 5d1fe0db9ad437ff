import { describeBackend, describeEstimators } from '@fkm/conformance';
import { onnxBackend } from './index.js';
import { onCpu } from './known-gaps.js';

const make = () => onnxBackend({ device: 'wasm' });

describeBackend('onnx wasm', make, { knownGaps: onCpu });
describeEstimators('onnx wasm', make);
