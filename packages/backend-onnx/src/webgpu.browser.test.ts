import { describeBackend, describeEstimators, describeTransfers } from '@fkm/conformance';
import { onnxBackend } from './index.js';
import { onWebGpu } from './known-gaps.js';

const make = () => onnxBackend({ device: 'webgpu' });

describeBackend('onnx webgpu', make, { knownGaps: onWebGpu });
describeEstimators('onnx webgpu', make, { thorough: false });
describeTransfers('onnx webgpu', make);
