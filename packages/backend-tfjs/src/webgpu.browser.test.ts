import { describeBackend, describeEstimators, describeTransfers } from '@fkm/conformance';
import { tfjsBackend } from './index.js';
import { onWebGpu } from './known-gaps.js';

const make = () => tfjsBackend({ device: 'webgpu' });

describeBackend('tfjs webgpu', make, { knownGaps: onWebGpu });
describeEstimators('tfjs webgpu', make, { thorough: false });
describeTransfers('tfjs webgpu', make);
