import { describeBackend, describeEstimators, describeTransfers } from '@fkm/conformance';
import { tfjsBackend } from './index.js';

const make = () => tfjsBackend({ device: 'webgpu' });

describeBackend('tfjs webgpu', make);
describeEstimators('tfjs webgpu', make, { thorough: false });
describeTransfers('tfjs webgpu', make);
