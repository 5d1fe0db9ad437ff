import { describeEstimators } from '@fkm/conformance';
import { onnxBackend } from './index.js';

describeEstimators('onnx cpu', () => onnxBackend());
