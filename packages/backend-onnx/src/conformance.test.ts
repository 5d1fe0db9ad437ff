import { describeBackend } from '@fkm/conformance';
import { onnxBackend } from './index.js';
import { onCpu } from './known-gaps.js';

describeBackend('onnx cpu', () => onnxBackend(), { knownGaps: onCpu });
describeBackend('onnx wasm', () => onnxBackend({ device: 'wasm' }), { knownGaps: onCpu });
