import { describeBackend } from '@fkm/conformance';
import { onnxBackend } from './index.js';

// The runtime's Where fills what is not chosen with 0 and merges the two by comparing with 0, so −0 becomes 0.
const signedZero = 'Where gives 0 for −0';
const knownGaps = {
  'select float32 [2,1]+[7]+[] special values': signedZero,
  'select float16 [2,1]+[7]+[] special values': signedZero,
};

describeBackend('onnx cpu', () => onnxBackend(), { knownGaps });
describeBackend('onnx wasm', () => onnxBackend({ device: 'wasm' }), { knownGaps });
