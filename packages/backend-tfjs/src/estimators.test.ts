import { describeEstimators } from '@fkm/conformance';
import { tfjsBackend } from './index.js';

describeEstimators('tfjs cpu', () => tfjsBackend({ device: 'cpu' }));
describeEstimators('tfjs wasm', () => tfjsBackend({ device: 'wasm' }));
