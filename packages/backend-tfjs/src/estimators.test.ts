import { describeEstimators } from '@fkm/conformance';
import { tfjsBackend } from './index.js';

// Plain JavaScript runs what depends on the device; wasm runs every check.
describeEstimators('tfjs cpu', () => tfjsBackend({ device: 'cpu' }), { thorough: false });
describeEstimators('tfjs wasm', () => tfjsBackend({ device: 'wasm' }));
