import { describeBackend } from '@fkm/conformance';
import { tfjsBackend } from './index.js';

describeBackend('tfjs cpu', () => tfjsBackend({ device: 'cpu' }));
describeBackend('tfjs wasm', () => tfjsBackend({ device: 'wasm' }));
